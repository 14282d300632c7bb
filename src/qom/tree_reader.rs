//! Reading a whole tree with as few and as short requests as the server allows.
//!
//! QEMU since 10.1 answers many objects at once with `qom-list-get`. An older one is asked object by object and value by
//! value, eight requests under way at a time; what is known without asking (the type of an object, the path of a child)
//! is not asked.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::Pending;

use super::client::{QomClient, finish_get};
use super::error::QomError;
use super::property::Property;
use super::tree::{Tree, Value};

/// So many requests are under way: as many as a server queues.
const UNDER_WAY: usize = 8;

/// So many objects are asked for in one request: enough that requests are few, and few enough that the server stays
/// responsive to others in between.
const BULK: usize = 64;

/// No deeper, whatever a server says: drawing goes as deep as the tree.
const DEEPEST: usize = 500;

/// One object in the answer to `qom-list-get`.
#[derive(Deserialize)]
struct Listed {
    properties: Vec<ListedProperty>,
}

#[derive(Deserialize)]
struct ListedProperty {
    #[serde(flatten)]
    property: Property,
    /// Absent where it cannot be read.
    value: Option<Box<RawValue>>,
}

/// What a request asks for.
enum Question {
    /// What these objects consist of, values and all.
    Bulk(Vec<usize>),
    /// What this object consists of.
    List(usize),
    /// The value of this member of this object.
    Value(usize, usize),
}

struct Walk<'a> {
    objects: &'a QomClient,
    depth: usize,
    bulk: bool,
    tree: Tree,
    /// How many members it has.
    members: usize,
    /// Objects that are still to be opened.
    closed: Vec<usize>,
    questions: VecDeque<Question>,
    asked: VecDeque<(Question, Pending)>,
}

impl QomClient {
    /// The object at `path` and what it holds, no more than `depth` levels below it. A value or an object that cannot be read says
    /// why in its place; an error is only what concerns the object at `path` itself, or the connection.
    pub fn tree(&self, path: &str, depth: Option<usize>) -> Result<Tree, QomError> {
        let mut walk = Walk {
            objects: self,
            depth: depth.unwrap_or(DEEPEST).min(DEEPEST),
            bulk: true,
            tree: Tree::begin(path),
            members: 0,
            closed: vec![0],
            questions: VecDeque::new(),
            asked: VecDeque::new(),
        };
        walk.walk()?;
        Ok(walk.tree)
    }
}

impl Walk<'_> {
    fn walk(&mut self) -> Result<(), QomError> {
        loop {
            self.ask()?;
            let Some((question, pending)) = self.asked.pop_front() else { return Ok(()) };
            self.take(question, pending)?;
        }
    }

    /// Asks what there is to ask, as much as may be under way.
    fn ask(&mut self) -> Result<(), QomError> {
        // Objects gather while requests are under way, so that there is much to ask at once.
        if !self.closed.is_empty() && (!self.bulk || self.asked.is_empty() && self.questions.is_empty()) {
            let closed = std::mem::take(&mut self.closed);
            if self.bulk {
                self.questions.extend(closed.chunks(BULK).map(|places| Question::Bulk(places.to_vec())));
            } else {
                self.questions.extend(closed.into_iter().map(Question::List));
            }
        }
        while self.asked.len() < UNDER_WAY
            && let Some(question) = self.questions.pop_front()
        {
            let path = |at: usize| self.tree.node(at).path.as_str();
            let pending = match &question {
                Question::Bulk(places) => self.objects.begin_bulk(places.iter().map(|at| path(*at)))?,
                Question::List(at) => self.objects.begin_list(path(*at))?,
                Question::Value(at, member) => self.objects.begin_get(path(*at), self.tree.name_of(*at, *member))?,
            };
            self.asked.push_back((question, pending));
        }
        Ok(())
    }

    fn take(&mut self, question: Question, pending: Pending) -> Result<(), QomError> {
        match question {
            Question::Bulk(places) => match pending.wait::<Vec<Listed>>().map_err(QomError::from) {
                Ok(listed) if listed.len() == places.len() => {
                    for (at, listed) in places.into_iter().zip(listed) {
                        let known = |value: Box<RawValue>| Ok(Box::<str>::from(value).into_string());
                        let properties = listed.properties.into_iter();
                        self.open(at, properties.map(|item| (item.property, item.value.map(known))).collect())?;
                    }
                }
                Err(error) if error.is_lost() => return Err(error),
                refused => {
                    if matches!(&refused, Err(error) if error.is_unknown_command()) {
                        self.bulk = false;
                    }
                    // One object that has gone takes the answer for all of them along: each is asked for by itself.
                    self.questions.extend(places.into_iter().map(Question::List));
                }
            },
            Question::List(at) => match pending.wait::<Vec<Property>>().map_err(QomError::from) {
                Ok(listed) => self.open(at, listed.into_iter().map(|property| (property, None)).collect())?,
                Err(error) if at == 0 || error.is_lost() => return Err(error),
                Err(error) => self.tree.fail(at, error.reason()),
            },
            Question::Value(at, member) => match finish_get(pending) {
                Err(error) if error.is_lost() => return Err(error),
                read => self.tree.put(at, member, read.map_err(|error| error.reason())),
            },
        }
        Ok(())
    }

    fn open(&mut self, at: usize, listed: Vec<(Property, Option<Value>)>) -> Result<(), QomError> {
        self.members += listed.len();
        if self.members > self.objects.max_members {
            return Err(QomError::Endless(self.objects.max_members));
        }
        let (children, unread) = self.tree.open(at, listed);
        if self.tree.node(at).level < self.depth {
            self.closed.extend(children);
        }
        self.questions.extend(unread.into_iter().map(|member| Question::Value(at, member)));
        Ok(())
    }
}
