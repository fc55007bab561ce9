//! Answers what a template asks of data sources while it is read.

use crate::data_sources;
use crate::engine::chain;
use crate::hcl::Value;
use crate::hcl::diagnostics::{Diagnostic, Diagnostics};
use crate::plan::legacy::{self, Names};
use crate::sources::World;
use crate::template::{DataRequest, Loading};

use super::engine_facts;

/// Whether data sources are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// They are.
    Execute,
    /// Their options are checked, and their values stay unknown (`validate`).
    Check,
}

/// Answers all that a template asks.
pub async fn supply(loading: &mut Loading, world: &World, reading: Reading) {
    while let Some(request) = loading.next_data() {
        let answer = answer(request, world, reading).await;
        loading.supply(answer);
    }
}

async fn answer(request: DataRequest, world: &World, reading: Reading) -> Result<Value, Diagnostics> {
    let missing = || Diagnostic::error(format!("Unknown data type {}", request.kind), "").at(&request.span);
    let kind = data_sources::kind(&request.kind).ok_or_else(missing)?;
    let mut body = request.body;
    engine_facts::drop_from(&mut body);
    let problems = legacy::prepare(&mut body, &Names { build_name: "", build_type: "" }, &[]);
    if problems.has_errors() {
        return Err(problems);
    }
    let source = (kind.prepare)(&body)?;
    if reading == Reading::Check {
        return Ok(Value::unknown((kind.output)()));
    }
    let read = source.read(world).await;
    read.map_err(|error| {
        let text = format!("Datasource.Execute failed: {}", chain(error.as_ref()));
        let what = format!("data \"{}\" \"{}\"", request.kind, request.name);
        Diagnostic::error(text, format!("The data source is {what}.")).at(&request.span).into()
    })
}
