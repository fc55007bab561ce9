//! How much evaluating may cost: a template of a few lines can ask for more than any machine has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Evaluated, Evaluator};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::hcl::value::Value;

/// The largest value, by [`Value::weight`], in bytes: what fits into memory a few times over.
const MAX_WEIGHT: usize = 32 << 20;
/// The deepest nesting of collections. Values are walked through recursively, and the stack is not endless.
const MAX_DEPTH: usize = 512;
/// What evaluating with the same [`Work`] may cost in all. At [`STEP`] a step these are four million steps, which
/// take about a second; a template of 100,000 lines takes one million.
const MAX_WORK: usize = 1 << 30;
/// What evaluating one expression costs.
const STEP: usize = 256;
/// What one round of a loop costs, next to the expressions in it: a scope with its names is made and dropped.
const ROUND: usize = 1024;
/// What a byte costs that is made: it is kept, and often was copied once or twice on its way.
const BYTE: usize = 4;

/// What comparing a name with another one costs.
const LOOK: usize = 64;
/// What a block that a `dynamic` block generates costs: it is kept with all its places in the source.
const BLOCK: usize = 16 << 10;

/// What evaluating has cost so far. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Work(Arc<AtomicUsize>);

impl Work {
    /// Adds to the cost; whether there is anything left to spend.
    fn spend(&self, cost: usize) -> bool {
        // One thread evaluates; were there two, losing a few steps would not matter.
        let spent = self.0.load(Ordering::Relaxed).saturating_add(cost);
        self.0.store(spent, Ordering::Relaxed);
        spent <= MAX_WORK
    }

    /// Pays for a block that a `dynamic` block in this place generates.
    pub fn block(&self, span: &Span) -> Result<(), Diagnostics> {
        let spent = self.spend(BLOCK);
        let hint = "is the collection in for_each much longer than meant, or are there dynamic blocks in one another?";
        spent.then_some(()).ok_or_else(|| too_expensive(span, hint).into())
    }
}

impl Evaluator {
    /// Pays for one step.
    pub(super) fn step(&mut self, span: &Span) -> Evaluated<()> {
        self.spend(STEP, span)
    }

    /// Pays for one round of a loop.
    pub(super) fn round(&mut self, span: &Span) -> Evaluated<()> {
        self.spend(ROUND, span)
    }

    /// Pays for looking at some names, to find one that is like another.
    pub(super) fn compare(&mut self, names: usize, span: &Span) -> Evaluated<()> {
        self.spend(names.saturating_mul(LOOK), span)
    }

    /// Pays for a value that was made, and refuses one that is too large.
    pub(super) fn made(&mut self, value: Value, span: &Span) -> Evaluated {
        self.fits(value.weight(), span)?;
        if value.depth() > MAX_DEPTH {
            let detail = format!("The value has collections in collections more than {MAX_DEPTH} levels deep.");
            return self.fail(span, "Value nested too deeply", detail);
        }
        self.spend(value.weight().saturating_mul(BYTE), span)?;
        Ok(value)
    }

    /// Refuses to go on with what has become too large while it is made.
    pub(super) fn fits(&mut self, weight: usize, span: &Span) -> Evaluated<()> {
        if weight <= MAX_WEIGHT {
            return Ok(());
        }
        let detail = format!("The value has more than {} MiB. Values are kept in memory.", MAX_WEIGHT >> 20);
        let hint =
            "does a list or text grow by each of its own elements, as in [local.a, local.a] of [local.b, local.b]?";
        self.fail_with(Diagnostic::error("Value too large", detail).at(span).hint(Some(hint.to_owned())))
    }

    fn spend(&mut self, cost: usize, span: &Span) -> Evaluated<()> {
        if self.work.spend(cost) {
            return Ok(());
        }
        self.fail_with(too_expensive(span, "are there `for` expressions in one another, or over a very long list?"))
    }
}

fn too_expensive(span: &Span, hint: &str) -> Diagnostic {
    let detail = "Evaluating the template takes too many steps or makes too much text. It was stopped here.";
    Diagnostic::error("Evaluation too expensive", detail).at(span).hint(Some(hint.to_owned()))
}
