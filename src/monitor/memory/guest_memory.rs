//! The memory of a guest, which the server writes into files of the shell.

use std::ops::Range;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::command::request;
use super::super::server::{Failure, QmpServer, ServerError};
use super::page_walk::PhysicalMemory;
use super::passed_file::PassedFile;

/// The maximum number of blocks that the server is asked for at once. Each needs a file of its own.
const MAX_FILES: usize = 8;

/// Blocks that are closer to each other are read as one: a request takes as long as this many bytes.
const MAX_GAP_BYTES: u64 = 64 << 10;

/// The maximum size of blocks that are read as one.
const MAX_BLOCK_BYTES: u64 = 8 << 20;

/// The smallest unit in which memory can be mapped or not.
const MAPPING_BYTES: u64 = 1 << 10;

/// The interval at which the course of a walk is shown.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// The memory of a guest, as the server writes it.
pub(crate) struct GuestMemory<'a> {
    pub(crate) server: &'a mut dyn QmpServer,
    cpu: u64,
    files: Vec<PassedFile>,
    /// Whether the server writes into a temporary file, because it cannot write into one in memory.
    uses_temporary: bool,
    last_progress: Instant,
}

/// Has `work` read the memory of a guest as the CPU with this index sees it. The server holds no files afterwards.
pub(crate) fn with_guest_memory<T>(
    server: &mut dyn QmpServer,
    cpu: u64,
    work: impl FnOnce(&mut GuestMemory<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let last_progress = Instant::now();
    let mut memory = GuestMemory { server, cpu, files: Vec::new(), uses_temporary: false, last_progress };
    let result = work(&mut memory);
    for file in memory.files.drain(..) {
        file.remove(memory.server);
    }
    result
}

impl GuestMemory<'_> {
    /// Reads physical memory. It is 0 where there is none.
    pub(crate) fn read_physical(&mut self, address: u64, length: u64) -> Result<Vec<u8>, Failure> {
        Ok(self.save("pmemsave", address, length)??)
    }

    /// Reads virtual memory, up to the first address that is not mapped.
    pub(crate) fn read_virtual(&mut self, address: u64, length: u64) -> Result<Vec<u8>, Failure> {
        if let Ok(bytes) = self.save("memsave", address, length)? {
            return Ok(bytes);
        }
        // The server refuses the whole if a part is not mapped. The mapped part ends at the start of a unit.
        let mut bytes = Vec::new();
        let first_end = MAPPING_BYTES - address % MAPPING_BYTES;
        let (mut mapped, mut units) = (0, (length.saturating_sub(first_end)).div_ceil(MAPPING_BYTES));
        let length_of = |units: u64| if units == 0 { 0 } else { (first_end + (units - 1) * MAPPING_BYTES).min(length) };
        while mapped < units {
            let tried = mapped + (units - mapped).div_ceil(2);
            match self.save("memsave", address, length_of(tried))? {
                Ok(more) => (mapped, bytes) = (tried, more),
                Err(_) => units = tried - 1,
            }
        }
        Ok(bytes)
    }

    /// Has the server write memory into a file, and reads it. The inner error is the server's.
    fn save(&mut self, command: &str, address: u64, length: u64) -> Result<Result<Vec<u8>, ServerError>, Failure> {
        if length == 0 {
            return Ok(Ok(Vec::new()));
        }
        let cpu = (command == "memsave" && self.cpu != 0).then_some(self.cpu);
        let arguments = json!({ "val": signed(address), "size": length, "cpu-index": cpu });
        self.write_file(command, &arguments, length as usize)
    }

    /// Has a command of the server write a file, and reads up to `length` bytes of it. The name of the file is added to
    /// `arguments`. The inner error is the server's.
    pub(crate) fn write_file(
        &mut self,
        command: &str,
        arguments: &Value,
        length: usize,
    ) -> Result<Result<Vec<u8>, ServerError>, Failure> {
        loop {
            let mut arguments = arguments.clone();
            arguments["filename"] = self.file(0)?.server_path.clone().into();
            match self.server.execute(&request(command, arguments)) {
                Ok(_) => return self.file(0)?.read(length).map(Ok),
                Err(Failure::Error(error)) if is_about_file(&error) => self.use_temporary(&error)?,
                Err(Failure::Error(error)) => return Ok(Err(error)),
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Returns the file with this index. Files are passed to the server when they are first used.
    fn file(&mut self, index: usize) -> Result<&PassedFile, Failure> {
        while self.files.len() <= index {
            self.uses_temporary |= !self.server.can_receive_fds();
            let file = if self.uses_temporary { PassedFile::temporary()? } else { PassedFile::in_memory(self.server)? };
            self.files.push(file);
        }
        Ok(&self.files[index])
    }

    /// Changes to temporary files after the server could not write into one in memory.
    fn use_temporary(&mut self, error: &ServerError) -> Result<(), Failure> {
        if self.uses_temporary {
            let message =
                "the server cannot hand over memory: it takes no file descriptor that it can write to, and it";
            return Err(Failure::error(format!(
                "{message} cannot create a file in this host's folder: {}",
                error.desc
            )));
        }
        for file in std::mem::take(&mut self.files) {
            file.remove(self.server);
        }
        self.uses_temporary = true;
        Ok(())
    }

    /// Reads blocks of physical memory, as many at once as there are files.
    fn read_blocks(&mut self, blocks: &[Range<u64>]) -> Result<Vec<Vec<u8>>, Failure> {
        let [first, rest @ ..] = blocks else { return Ok(Vec::new()) };
        // The first one finds out what the server can write to.
        let mut all = vec![self.read_physical(first.start, first.end - first.start)?];
        for some in rest.chunks(MAX_FILES) {
            let mut requests = Vec::with_capacity(some.len());
            for (index, block) in some.iter().enumerate() {
                let path = self.file(index)?.server_path.clone();
                let arguments =
                    json!({ "val": signed(block.start), "size": block.end - block.start, "filename": path });
                requests.push(request("pmemsave", arguments));
            }
            for (index, reply) in self.server.query_all(&requests)?.into_iter().enumerate() {
                reply?;
                let length = some.get(index).map_or(0, |block| block.end - block.start);
                all.push(self.file(index)?.read(length as usize)?);
            }
        }
        Ok(all)
    }
}

impl PhysicalMemory for GuestMemory<'_> {
    type Error = Failure;

    fn read(&mut self, blocks: &[(u64, u64)]) -> Result<Vec<Vec<u8>>, Failure> {
        let merged = merge(blocks);
        let read = self.read_blocks(&merged)?;
        let part = |&(address, length): &(u64, u64)| {
            let index = merged.partition_point(|block| block.start <= address).checked_sub(1)?;
            let (block, bytes) = (&merged[index], read.get(index)?);
            let start = (address - block.start) as usize;
            Some(bytes.get(start..start + length as usize)?.to_vec())
        };
        Ok(blocks.iter().map(|block| part(block).unwrap_or_default()).collect())
    }

    fn progress(&mut self, tables: u64, address: u64) {
        if self.last_progress.elapsed() >= PROGRESS_INTERVAL {
            self.last_progress = Instant::now();
            self.server.show_progress(&format!("{tables} page tables read, up to address {address:#x}"));
        }
    }
}

/// Returns an address as old servers take it, with the sign of 64 bits. New ones take it too.
fn signed(address: u64) -> i64 {
    address as i64
}

/// Returns the blocks that cover all of the given ones, in order of their addresses.
fn merge(blocks: &[(u64, u64)]) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> =
        blocks.iter().map(|&(address, length)| address..address.saturating_add(length)).collect();
    sorted.sort_unstable_by_key(|block| (block.start, block.end));
    let mut merged: Vec<Range<u64>> = Vec::new();
    for block in sorted {
        match merged.last_mut() {
            Some(last)
                if block.start <= last.end.saturating_add(MAX_GAP_BYTES)
                    && block.end.saturating_sub(last.start) <= MAX_BLOCK_BYTES =>
            {
                last.end = last.end.max(block.end);
            }
            _ => merged.push(block),
        }
    }
    merged
}

/// Returns whether an error is about the file that the server was to write, and not about the memory.
fn is_about_file(error: &ServerError) -> bool {
    !error.desc.starts_with("Invalid addr") && error.class != "CommandNotFound" && error.desc.contains("ould not open")
}

#[cfg(test)]
mod tests {
    use super::super::super::scripted_server::ScriptedServer;
    use super::*;

    #[test]
    fn a_server_on_another_host_is_a_failure_with_the_reason() {
        let elsewhere = Failure::error("Could not open '/tmp/x/memory': No such file or directory");
        let server = ScriptedServer::default().reply("query-target", json!({ "arch": "x86_64" }));
        let log = server.fail("memsave", elsewhere).run("x 0");
        let failure = log.lines().last().unwrap();
        assert!(failure.contains("cannot create a file in this host's folder: Could not open '/tmp/x"), "{log}");
    }

    #[test]
    fn a_line_ends_where_memory_ends() {
        // The server maps nothing of the three units that the line needs.
        let server = ScriptedServer::default().reply("query-target", json!({ "arch": "x86_64" }));
        let unmapped = || Failure::error("Invalid addr 0x0000000000000800/size 16 specified");
        let server = server.fail("memsave", unmapped()).fail("memsave", unmapped());
        let log = server.run("x/300xg 0x400");
        let sizes: Vec<&str> = log.lines().filter_map(|line| Some(line.split_once("size\":")?.1)).collect();
        let sizes: Vec<&str> = sizes.iter().map(|size| size.split(',').next().unwrap()).collect();
        assert_eq!(sizes, ["2400", "1024"]);
        assert!(log.ends_with("failure: Text(\"0000000000000400: Cannot access memory\\n\")\n"), "{log}");
    }

    #[test]
    fn blocks_that_are_close_are_read_as_one() {
        let blocks = [(0x3000, 0x1000), (0x1000, 0x1000), (0x1000, 0x1000), (0x100_0000, 8), (u64::MAX - 8, 0x1000)];
        assert_eq!(merge(&blocks), [0x1000..0x4000, 0x100_0000..0x100_0008, u64::MAX - 8..u64::MAX]);
        let far = MAX_BLOCK_BYTES;
        assert_eq!(merge(&[(0, far), (far, 1)]), [0..far, far..far + 1]);
    }
}
