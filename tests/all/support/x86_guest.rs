//! Small x86 guests that turn on paging with page tables of a test's choice, load their registers, and halt.

use std::path::Path;

/// The address of the page tables, one page each.
pub const TABLES: u64 = 0x10_0000;

/// The bytes of a page table.
const PAGE: usize = 4096;

/// The size of the ROM with the guest's code, which ends at 4 GiB and is also at 0xf0000.
const ROM_BYTES: usize = 0x1_0000;

/// Places in the ROM.
const PROTECTED_MODE: usize = 0x40;
const HALT: usize = 0x100;
const GDT: usize = 0x200;
const GDTR: usize = 0x240;
const RESET: usize = 0xfff0;

/// The address at which the code runs.
const ROM_ADDRESS: u32 = 0xf_0000;

/// The way in which a guest translates addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    Off,
    /// Two levels of 1024 entries, pages of 4 KiB.
    Small,
    /// The same, with pages of 4 MiB.
    Large,
    /// Physical address extension: three levels.
    Extended,
    /// Long mode.
    FourLevels,
    FiveLevels,
}

impl Paging {
    pub const ALL: [Paging; 5] =
        [Paging::Small, Paging::Large, Paging::Extended, Paging::FourLevels, Paging::FiveLevels];

    pub fn is_long(self) -> bool {
        matches!(self, Paging::FourLevels | Paging::FiveLevels)
    }

    /// Returns the number of levels of tables.
    pub fn levels(self) -> usize {
        match self {
            Paging::Off => 0,
            Paging::Small | Paging::Large => 2,
            Paging::Extended => 3,
            Paging::FourLevels => 4,
            Paging::FiveLevels => 5,
        }
    }

    /// Returns the bytes of an entry.
    pub fn entry_bytes(self) -> usize {
        if matches!(self, Paging::Small | Paging::Large) { 4 } else { 8 }
    }

    /// Returns CR0, CR4 and EFER.
    fn control(self) -> [u32; 3] {
        match self {
            Paging::Off => [0x11, 0, 0],
            Paging::Small => [0x8000_0011, 0, 0],
            Paging::Large => [0x8000_0011, 0x10, 0],
            Paging::Extended => [0x8000_0011, 0x20, 0x800],
            Paging::FourLevels => [0x8000_0011, 0x20, 0x900],
            Paging::FiveLevels => [0x8000_0011, 0x1020, 0x900],
        }
    }
}

/// Page tables, which begin at [`TABLES`].
pub struct Tables {
    entry_bytes: usize,
    pages: Vec<Vec<u8>>,
}

impl Tables {
    pub fn new(paging: Paging, pages: usize) -> Tables {
        Tables { entry_bytes: paging.entry_bytes(), pages: vec![vec![0; PAGE]; pages] }
    }

    /// Returns the address of a page.
    pub fn address(page: usize) -> u64 {
        TABLES + (page * PAGE) as u64
    }

    pub fn set(&mut self, page: usize, index: usize, entry: u64) {
        let place = index * self.entry_bytes;
        self.pages[page][place..place + self.entry_bytes].copy_from_slice(&entry.to_le_bytes()[..self.entry_bytes]);
    }

    pub fn get(&self, page: usize, index: usize) -> u64 {
        let place = index * self.entry_bytes;
        let bytes = &self.pages[page][place..place + self.entry_bytes];
        bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    pub fn entries(&self) -> usize {
        PAGE / self.entry_bytes
    }
}

/// Writes the files of a guest to `folder`, and returns the options of QEMU that start it.
pub fn write_guest(folder: &Path, paging: Paging, tables: &Tables) -> Vec<String> {
    let [rom, image] = ["rom.bin", "tables.bin"].map(|name| folder.join(name).display().to_string());
    std::fs::write(&rom, rom_image(paging)).unwrap();
    std::fs::write(&image, tables.pages.concat()).unwrap();
    let loader = format!("loader,file={image},addr={TABLES:#x},force-raw=on");
    let options = ["-M", "pc", "-cpu", "max", "-display", "none", "-nodefaults", "-bios", &rom, "-device", &loader];
    options.map(str::to_owned).to_vec()
}

/// Returns the ROM: code for real mode, then for protected mode, then for the mode of the guest.
fn rom_image(paging: Paging) -> Vec<u8> {
    let mut rom = vec![0; ROM_BYTES];
    let mut put = |place: usize, parts: &[&[u8]]| {
        let code = parts.concat();
        rom[place..place + code.len()].copy_from_slice(&code);
    };
    let [cr0, cr4, efer] = paging.control();

    // The processor starts here, in real mode.
    put(RESET, &[&[0xea, 0, 0, 0x00, 0xf0]]); // ljmp $0xf000, $0
    put(
        0,
        &[
            &[0xfa],                                           // cli
            &[0x2e, 0x66, 0x0f, 0x01, 0x16, GDTR as u8, 0x02], // lgdtl %cs:GDTR
            &[0x0f, 0x20, 0xc0],                               // mov %cr0, %eax
            &[0x0c, 0x01],                                     // or $1, %al
            &[0x0f, 0x22, 0xc0],                               // mov %eax, %cr0
            &[0x66],                                           // with an operand of 32 bits:
            &far_jump(0x08, PROTECTED_MODE),                   // ljmp $0x08, $PROTECTED_MODE
        ],
    );
    put(
        PROTECTED_MODE,
        &[
            &[0x66, 0xb8, 0x10, 0x00],             // mov $0x10, %ax
            &[0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0], // mov %ax, %ds; mov %ax, %es; mov %ax, %ss
            &load_eax(cr4),                        // mov $CR4, %eax
            &[0x0f, 0x22, 0xe0],                   // mov %eax, %cr4
            &load_eax(TABLES as u32),              // mov $TABLES, %eax
            &[0x0f, 0x22, 0xd8],                   // mov %eax, %cr3
            &[0xb9, 0x80, 0x00, 0x00, 0xc0],       // mov $0xc0000080, %ecx, the number of EFER
            &load_eax(efer),                       // mov $EFER, %eax
            &[0x31, 0xd2, 0x0f, 0x30],             // xor %edx, %edx; wrmsr
            &load_eax(cr0),                        // mov $CR0, %eax
            &[0x0f, 0x22, 0xc0],                   // mov %eax, %cr0
            &far_jump(0x18, HALT),                 // ljmp $0x18, $HALT
        ],
    );
    let mut code = load_registers(paging.is_long());
    code.extend([0xf4, 0xeb, 0xfd]); // hlt; jmp to it
    put(HALT, &[&code]);

    // No segment; flat 32-bit code; flat data; flat code of the guest's mode.
    let code = if paging.is_long() { 0x00af_9b00_0000_ffff } else { 0x00cf_9b00_0000_ffff_u64 };
    let descriptors = [0, 0x00cf_9b00_0000_ffff, 0x00cf_9300_0000_ffff, code].map(u64::to_le_bytes);
    put(GDT, &[&descriptors.concat()]);
    put(GDTR, &[&0x1f_u16.to_le_bytes(), &address_of(GDT)]);
    rom
}

/// Returns the address of a place in the ROM.
fn address_of(place: usize) -> [u8; 4] {
    (ROM_ADDRESS + place as u32).to_le_bytes()
}

/// Returns `mov $value, %eax`.
fn load_eax(value: u32) -> Vec<u8> {
    [&[0xb8], &value.to_le_bytes()[..]].concat()
}

/// Returns `ljmp $segment, $place`.
fn far_jump(segment: u16, place: usize) -> Vec<u8> {
    [&[0xea], &address_of(place)[..], &segment.to_le_bytes()].concat()
}

/// Returns code that loads each register with a value of its own.
fn load_registers(is_long: bool) -> Vec<u8> {
    let mut code = Vec::new();
    for register in 0..if is_long { 16_u8 } else { 8 } {
        let value = 0x1122_3344_5566_7700 + u64::from(register);
        // mov $value, %register
        match is_long {
            true => code.extend([0x48 | register >> 3, 0xb8 | register & 7]),
            false => code.push(0xb8 | register),
        }
        code.extend(&value.to_le_bytes()[..if is_long { 8 } else { 4 }]);
    }
    code
}
