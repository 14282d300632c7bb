//! The memory map of `info mtree`: a table of regions, shown for each address space.

use std::fmt::Write;

/// One region: depth, first and last address, kind, name.
type Region = (usize, u64, u64, &'static str, &'static str);

static MEMORY: &[Region] = &[
    (0, 0, u64::MAX, "i/o", "system"),
    (1, 0, 0x0fff_ffff, "ram", "ram-below-4g"),
    (1, 0, u64::MAX, "i/o", "pci"),
    (2, 0x000a_0000, 0x000b_ffff, "i/o", "vga-lowmem"),
    (2, 0x000c_0000, 0x000d_ffff, "rom", "pc.rom"),
    (2, 0x000e_0000, 0x000f_ffff, "rom", "isa-bios"),
    (2, 0xfd00_0000, 0xfdff_ffff, "ram", "vga.vram"),
    (2, 0xfe00_0000, 0xfe00_3fff, "i/o", "virtio-blk disk0"),
    (3, 0xfe00_0000, 0xfe00_0fff, "i/o", "virtio-pci-common-disk0"),
    (3, 0xfe00_1000, 0xfe00_1fff, "i/o", "virtio-pci-isr-disk0"),
    (3, 0xfe00_2000, 0xfe00_2fff, "i/o", "virtio-pci-device-disk0"),
    (3, 0xfe00_3000, 0xfe00_3fff, "i/o", "virtio-pci-notify-disk0"),
    (2, 0xfe00_4000, 0xfe00_7fff, "i/o", "virtio-net net0"),
    (3, 0xfe00_4000, 0xfe00_4fff, "i/o", "virtio-pci-common-net0"),
    (3, 0xfe00_5000, 0xfe00_5fff, "i/o", "virtio-pci-isr-net0"),
    (3, 0xfe00_6000, 0xfe00_6fff, "i/o", "virtio-pci-device-net0"),
    (3, 0xfe00_7000, 0xfe00_7fff, "i/o", "virtio-pci-notify-net0"),
    (2, 0xffc0_0000, 0xffff_ffff, "rom", "pc.bios"),
    (1, 0xb000_0000, 0xbfff_ffff, "i/o", "pcie-mmcfg"),
    (1, 0xfec0_0000, 0xfec0_0fff, "i/o", "ioapic"),
    (1, 0xfed0_0000, 0xfed0_03ff, "i/o", "hpet"),
    (1, 0xfee0_0000, 0xfeef_ffff, "i/o", "apic-msi"),
];

static PORTS: &[Region] = &[
    (0, 0, 0xffff, "i/o", "io"),
    (1, 0x0000, 0x0007, "i/o", "dma-chan"),
    (1, 0x0020, 0x0021, "i/o", "pic"),
    (1, 0x0040, 0x0043, "i/o", "pit"),
    (1, 0x0060, 0x0060, "i/o", "i8042-data"),
    (1, 0x0064, 0x0064, "i/o", "i8042-cmd"),
    (1, 0x0070, 0x0071, "i/o", "rtc"),
    (1, 0x03f8, 0x03ff, "i/o", "serial"),
    (1, 0x0510, 0x0511, "i/o", "fwcfg"),
    (1, 0x0600, 0x067f, "i/o", "acpi"),
    (1, 0x0cf8, 0x0cfb, "i/o", "pci-conf-idx"),
    (1, 0x0cfc, 0x0cff, "i/o", "pci-conf-data"),
];

/// Returns the memory map as text.
pub fn memory_map(cpus: u64) -> String {
    let mut out = String::new();
    write_address_space(&mut out, "memory", MEMORY);
    for cpu in 0..cpus {
        write_address_space(&mut out, &format!("cpu-memory-{cpu}"), MEMORY);
    }
    write_address_space(&mut out, "I/O", PORTS);
    out
}

fn write_address_space(out: &mut String, name: &str, regions: &[Region]) {
    let _ = writeln!(out, "address-space: {name}");
    for (depth, first, last, kind, region) in regions {
        let indent = 2 * (depth + 1);
        let _ = writeln!(out, "{:indent$}{first:016x}-{last:016x} (prio 0, {kind}): {region}", "");
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_longer_than_a_screen() {
        let map = memory_map(2);
        assert!(map.lines().count() > 60);
        assert!(map.contains("  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n"));
    }

    #[test]
    fn nests_each_region_in_the_one_above() {
        for table in [MEMORY, PORTS] {
            let mut above: Vec<&Region> = Vec::new();
            for region in table {
                above.truncate(region.0);
                assert_eq!(above.len(), region.0, "{}", region.4);
                assert!(above.last().is_none_or(|outer| outer.1 <= region.1 && region.2 <= outer.2), "{}", region.4);
                above.push(region);
            }
        }
    }
}
