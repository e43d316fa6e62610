//! What holding a document against a schema may cost. Schemas can ask for more than any machine has, by mistake or not:
//! two rules that each ask two others make 2^128 questions at depth 128. So every schema is given one more rule, with a
//! keyword of ours, which counts the questions and looks how much of the stack is used, and ends the matter when it is too
//! much. It stands in `allOf`, which the library asks before it branches, while keywords it does not know come last.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError};
use serde_json::{Map, Value};

/// The name of that keyword.
pub(super) const KEYWORD: &str = "$jsonwarden-step";

/// So much of the stack that is there already is used: a quarter of the least that a thread of ours has.
const STACK_BYTES: usize = 512 << 10;

/// So much of a stack of its own, if that was too little.
const DEEP_STACK_BYTES: usize = 48 << 20;

/// Why it was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spent {
    /// The questions.
    Steps,
    /// The stack.
    Stack,
}

/// What is left, on this thread.
#[derive(Clone, Copy)]
struct Purse {
    steps: u64,
    stack_top: usize,
    stack_bytes: usize,
}

thread_local! {
    static PURSE: Cell<Option<Purse>> = const { Cell::new(None) };
}

/// The keyword.
pub(super) struct Step;

impl<'i> Keyword<'i> for Step {
    fn validate(&self, _: &'i Value) -> Result<(), ValidationError<'i>> {
        spend();
        Ok(())
    }

    fn is_valid(&self, _: &'i Value) -> bool {
        spend();
        true
    }
}

/// Makes the keyword.
#[expect(clippy::unnecessary_wraps, reason = "it is what the library takes")]
pub(super) fn step<'a>(
    _: &'a Map<String, Value>,
    _: &'a Value,
    _: Location,
) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
    Ok(Box::new(Step))
}

fn spend() {
    let Some(mut purse) = PURSE.get() else { return };
    if purse.steps == 0 {
        resume_unwind(Box::new(Spent::Steps));
    }
    if purse.stack_top.abs_diff(address()) > purse.stack_bytes {
        resume_unwind(Box::new(Spent::Stack));
    }
    purse.steps -= 1;
    PURSE.set(Some(purse));
}

/// About where the stack ends now.
#[inline(never)]
fn address() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&here)).addr()
}

/// Does what may be too much: here, where it is known to be shallow, or on a larger stack.
///
/// # Errors
/// It was too much; or the work panicked, which is taken for the same.
pub(super) fn within<T: Send>(steps: u64, is_shallow: bool, work: impl Fn() -> T + Sync) -> Result<T, Spent> {
    let here = if is_shallow { attempt(steps, STACK_BYTES, &work) } else { Err(Spent::Stack) };
    match here {
        Err(Spent::Stack) => with_deep_stack(|| attempt(steps, DEEP_STACK_BYTES, &work)).unwrap_or(Err(Spent::Stack)),
        ended => ended,
    }
}

/// Does something on a stack of its own; `None`: no thread was to be had, or it panicked.
pub(super) fn with_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    let stack = std::thread::Builder::new().name("schema".to_owned()).stack_size(DEEP_STACK_BYTES + (16 << 20));
    std::thread::scope(|scope| stack.spawn_scoped(scope, work).ok()?.join().ok())
}

fn attempt<T>(steps: u64, stack_bytes: usize, work: impl Fn() -> T) -> Result<T, Spent> {
    let before = PURSE.replace(Some(Purse { steps, stack_top: address(), stack_bytes }));
    let ended = catch_unwind(AssertUnwindSafe(work));
    PURSE.set(before);
    ended.map_err(|why| *why.downcast_ref().unwrap_or(&Spent::Steps))
}
