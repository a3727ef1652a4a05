//! The numbers that Java holds instead of pointers.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jni::sys::jlong;
use relevo_node::Node;

use crate::failure::Failure;

/// Open nodes by handle. A handle is never given twice, so a stale or invented one finds nothing.
struct Handles {
    last: jlong,
    nodes: BTreeMap<jlong, Node>,
}

static HANDLES: RwLock<Handles> = RwLock::new(Handles {
    last: 0,
    nodes: BTreeMap::new(),
});

/// Keeps `node` open and names it.
pub(crate) fn insert(node: Node) -> jlong {
    let mut handles = write();
    handles.last += 1;
    let handle = handles.last;
    handles.nodes.insert(handle, node);
    handle
}

/// The node, which stays open as long as the caller uses it even if it is closed meanwhile.
pub(crate) fn get(handle: jlong) -> Result<Node, Failure> {
    let node = read().nodes.get(&handle).cloned();
    node.ok_or_else(|| Failure::from("the node is closed"))
}

/// Removes `handle`. The caller closes the node.
pub(crate) fn remove(handle: jlong) -> Option<Node> {
    write().nodes.remove(&handle)
}

// The map is valid even if a thread panicked while it held the lock.
fn read() -> RwLockReadGuard<'static, Handles> {
    HANDLES.read().unwrap_or_else(PoisonError::into_inner)
}

fn write() -> RwLockWriteGuard<'static, Handles> {
    HANDLES.write().unwrap_or_else(PoisonError::into_inner)
}
