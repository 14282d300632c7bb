//! A question of our own, beside the user's command.

use std::time::Instant;

use crate::session::{Backlog, Disconnected, Received, Session};
use crate::shell::LARGEST_ANSWER;
use crate::wire::{Incoming, Reply, Request};

/// Asks, and waits for the answer until `until`; one too large to be an answer is none. Whatever else comes meanwhile is kept, in its order, for who reads next.
pub(super) fn ask(session: &mut Session, question: &Request, until: Instant) -> Result<Option<Reply>, Disconnected> {
    let id = session.send(question)?.to_string();
    let mut aside = Backlog::default();
    let answer = loop {
        match session.receive(Some(until)) {
            Ok(Received::Message(Incoming::Reply(reply))) if reply.id() == Some(&id) => {
                break Ok(Some(reply).filter(|reply| reply.text().len() <= LARGEST_ANSWER));
            }
            Ok(Received::TimedOut | Received::Interrupted) => break Ok(None),
            Ok(item) => {
                if !aside.keep(item) {
                    // A server that talks on and on is not waited for.
                    break Ok(None);
                }
            }
            Err(lost) => break Err(lost),
        }
    };
    session.requeue(aside);
    answer
}
