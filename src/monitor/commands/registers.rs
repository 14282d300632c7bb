//! The registers of CPUs.

use super::super::command::{Command, Invocation};
use super::super::memory::registers_texts;
use super::super::parameter::{flag, integer};
use super::super::server::Failure;

const MISSING: &str = "QMP does not tell the state of interrupts, A20, SMM and HLT, debug and system registers, EFER, and the \
                       registers of FPU, MMX and vector units.";

pub(super) const COMMANDS: &[Command] = &[Command::new(
    "info registers",
    &[flag('a', "cpustate_all"), integer("vcpu").optional()],
    "the registers of a CPU, or with -a of all",
    info_registers,
)
.partial(MISSING)];

fn info_registers(call: &mut Invocation<'_>) -> Result<String, Failure> {
    let texts = registers_texts(call.server, call.state)?;
    let shown = |(index, text): (usize, &String)| format!("\nCPU#{index}\n{text}");
    let text = match call.arguments.is_on("cpustate_all") {
        true => texts.iter().enumerate().map(shown).collect(),
        false => {
            let index = call.arguments.optional_integer("vcpu").unwrap_or(call.state.cpu_index() as i64);
            match usize::try_from(index).ok().and_then(|index| Some((index, texts.get(index)?))) {
                Some(found) => shown(found),
                None => return Err(Failure::line(format!("CPU#{index} not available"))),
            }
        }
    };
    call.show_missing_part();
    Ok(text)
}
