//! Reading a whole tree with as few and as small requests as the server allows.
//!
//! QEMU 10.1 and later return many objects at once with `qom-list-get`. Older servers are asked object by object and
//! value by value, with eight requests in flight. Values that earlier replies imply (the type of an object, the path of
//! a child) are not requested.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::Pending;

use super::client::QomClient;
use super::error::QomError;
use super::property::Property;
use super::tree::{PropertyValue, Tree};

/// The number of requests that QEMU queues for one connection.
const MAX_IN_FLIGHT: usize = 8;

/// The maximum number of objects in a request: few enough that the server can serve other clients in between.
const MAX_OBJECTS_PER_REQUEST: usize = 64;

/// The maximum depth of a tree, whatever the server claims, because trees are written recursively.
const MAX_DEPTH: usize = 500;

/// One object in the reply to `qom-list-get`.
#[derive(Deserialize)]
struct ListGetObject {
    properties: Vec<ListGetProperty>,
}

#[derive(Deserialize)]
struct ListGetProperty {
    #[serde(flatten)]
    property: Property,
    /// Absent if the value cannot be read.
    value: Option<Box<RawValue>>,
}

/// A request of the reader. Objects and members are given by index.
enum TreeRequest {
    ListGet { objects: Vec<usize> },
    List { object: usize },
    Get { object: usize, member: usize },
}

struct TreeReader<'a> {
    qom: &'a QomClient,
    max_depth: usize,
    /// Assumed until the server says otherwise.
    has_list_get: bool,
    tree: Tree,
    member_count: usize,
    /// Objects for which there is no request yet.
    unread: Vec<usize>,
    queued: VecDeque<TreeRequest>,
    in_flight: VecDeque<(TreeRequest, Pending)>,
}

impl QomClient {
    /// Reads the object at `path` and everything at most `depth` levels below it. In place of a value or an object that
    /// cannot be read is the reason; an error is about the object at `path` itself, or the connection.
    pub fn tree(&self, path: &str, depth: Option<usize>) -> Result<Tree, QomError> {
        let reader = TreeReader {
            qom: self,
            max_depth: depth.unwrap_or(MAX_DEPTH).min(MAX_DEPTH),
            has_list_get: true,
            tree: Tree::new(path),
            member_count: 0,
            unread: vec![0],
            queued: VecDeque::new(),
            in_flight: VecDeque::new(),
        };
        reader.read()
    }
}

impl TreeReader<'_> {
    fn read(mut self) -> Result<Tree, QomError> {
        loop {
            self.queue_unread();
            self.send_queued()?;
            let Some((request, pending)) = self.in_flight.pop_front() else { return Ok(self.tree) };
            self.receive(request, pending)?;
        }
    }

    /// Queues requests for unread objects.
    fn queue_unread(&mut self) {
        // While requests are in flight, objects are collected, so that one `qom-list-get` asks for many.
        if self.has_list_get && !(self.in_flight.is_empty() && self.queued.is_empty()) {
            return;
        }
        let unread = std::mem::take(&mut self.unread);
        if self.has_list_get {
            let chunks = unread.chunks(MAX_OBJECTS_PER_REQUEST);
            self.queued.extend(chunks.map(|objects| TreeRequest::ListGet { objects: objects.to_vec() }));
        } else {
            self.queue_lists(unread);
        }
    }

    fn queue_lists(&mut self, objects: Vec<usize>) {
        self.queued.extend(objects.into_iter().map(|object| TreeRequest::List { object }));
    }

    fn send_queued(&mut self) -> Result<(), QomError> {
        while self.in_flight.len() < MAX_IN_FLIGHT
            && let Some(request) = self.queued.pop_front()
        {
            let path = |object: usize| self.tree.node(object).path.as_str();
            let pending = match &request {
                TreeRequest::ListGet { objects } => {
                    self.qom.start_list_get(objects.iter().map(|object| path(*object)))?
                }
                TreeRequest::List { object } => self.qom.start_list(path(*object))?,
                TreeRequest::Get { object, member } => {
                    self.qom.start_get(path(*object), self.tree.member_name(*object, *member))?
                }
            };
            self.in_flight.push_back((request, pending));
        }
        Ok(())
    }

    fn receive(&mut self, request: TreeRequest, pending: Pending) -> Result<(), QomError> {
        match request {
            TreeRequest::ListGet { objects } => match self.qom.finish::<Vec<ListGetObject>>(pending) {
                Ok(listed) if listed.len() == objects.len() => {
                    for (object, listed) in objects.into_iter().zip(listed) {
                        let value = |value: Box<RawValue>| Ok(Box::<str>::from(value).into_string());
                        let properties = listed.properties.into_iter();
                        let properties = properties.map(|item| (item.property, item.value.map(value))).collect();
                        self.set_members(object, properties)?;
                    }
                }
                Err(error) if error.is_final() => return Err(error),
                refused => {
                    if matches!(&refused, Err(error) if error.is_unknown_command()) {
                        self.has_list_get = false;
                    }
                    // If one of the objects is gone, the server refuses all of them, so each is listed by itself.
                    self.queue_lists(objects);
                }
            },
            TreeRequest::List { object } => match self.qom.finish::<Vec<Property>>(pending) {
                Ok(listed) => {
                    self.set_members(object, listed.into_iter().map(|property| (property, None)).collect())?;
                }
                Err(error) if object == 0 || error.is_final() => return Err(error),
                Err(error) => self.tree.set_failed(object, error.reason()),
            },
            TreeRequest::Get { object, member } => match self.qom.finish_get(pending) {
                Err(error) if error.is_final() => return Err(error),
                result => self.tree.set_value(object, member, result.map_err(|error| error.reason())),
            },
        }
        Ok(())
    }

    fn set_members(&mut self, object: usize, listed: Vec<(Property, Option<PropertyValue>)>) -> Result<(), QomError> {
        self.member_count += listed.len();
        let max_members = self.qom.max_tree_members;
        if self.member_count > max_members {
            return Err(QomError::TooManyMembers { max_members });
        }
        let unread = self.tree.set_members(object, listed);
        if self.tree.node(object).level < self.max_depth {
            self.unread.extend(unread.children);
        }
        self.queued.extend(unread.values.into_iter().map(|member| TreeRequest::Get { object, member }));
        Ok(())
    }
}
