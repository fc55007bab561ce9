//! How much a template may use up. Templates come from people, and a slip of theirs must end in a message, not in a
//! process without memory or stack.

/// The longest text, in bytes, that a template or one of its functions may make. What templates make in earnest is user
/// data (16 KiB at most) and scripts.
pub const MAX_TEXT: usize = 16 << 20;

/// How many parts of the tree may be executed, which bounds `range 1000000000`.
pub const MAX_STEPS: u64 = 1_000_000;

/// How deep clauses, parentheses and templates within templates may go while executing.
pub const MAX_DEPTH: usize = 200;

/// What is said of a text that would be longer than [`MAX_TEXT`].
pub fn too_large() -> String {
    format!("result is larger than {MAX_TEXT} bytes")
}
