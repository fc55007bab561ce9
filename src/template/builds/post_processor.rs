//! `post-processor` blocks.

use std::sync::LazyLock;

use super::Options;
use super::arguments::PostProcessorArguments;
use super::common::{Common, Filter};
use crate::hcl::decode::fields;
use crate::hcl::diagnostics::Diagnostics;
use crate::hcl::dynamic::Expanded;
use crate::template::world::World;

static COMMON: LazyLock<Vec<String>> = LazyLock::new(fields::<PostProcessorArguments>);

/// A post-processor.
pub(super) struct PostProcessor {
    pub kind: String,
    /// Empty when it has none.
    pub name: String,
    pub filter: Filter,
    pub keep_input: Option<bool>,
    pub options: Options,
}

impl PostProcessor {
    /// Reads a block; what is wrong with its common arguments is reported.
    pub fn read(expanded: Expanded, build: &str, world: &World, diagnostics: &mut Diagnostics) -> Self {
        let kind = expanded.block.label(0).unwrap_or_default().to_owned();
        let (common, options) = Common::split(expanded, &COMMON, build, world);
        Self {
            kind,
            name: common.text("name", diagnostics),
            filter: common.filter(diagnostics),
            keep_input: common.bool("keep_input_artifact", diagnostics),
            options,
        }
    }

    /// `type` or `type.name`.
    pub fn title(&self) -> String {
        super::title(&self.kind, &self.name)
    }

    /// What `-except` patterns are matched against.
    pub fn exception_name(&self) -> &str {
        if self.name.is_empty() { &self.kind } else { &self.name }
    }
}
