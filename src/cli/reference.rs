//! All that templates can name, as `docs` and `schema` tell of it: from the option structs of the components, and from nothing else.

use schemars::{Schema, schema_for};

use crate::hcl::decode::{OptionReference, reference, summary};
use crate::hcl::functions::{self, Function, Param};
use crate::hcl::types::Type;
use crate::sources::options::communicator::CommunicatorOptions;
use crate::template::{PostProcessorArguments, ProvisionerArguments};
use crate::{data_sources, post_processors, provisioners, sources};

/// What a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// `source "TYPE" "NAME"`
    Source,
    /// `data "TYPE" "NAME"`
    Data,
    /// `provisioner "TYPE"`
    Provisioner,
    /// `post-processor "TYPE"`
    PostProcessor,
    /// How sources talk to their machine.
    Communicator,
}

impl Category {
    /// The word that templates have for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Data => "data",
            Self::Provisioner => "provisioner",
            Self::PostProcessor => "post-processor",
            Self::Communicator => "communicator",
        }
    }

    /// The heading of a list of them.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Source => "Sources",
            Self::Data => "Data sources",
            Self::Provisioner => "Provisioners",
            Self::PostProcessor => "Post-processors",
            Self::Communicator => "Communicators",
        }
    }
}

/// A component and the schemas of all that its block takes.
pub struct Component {
    /// What it is.
    pub category: Category,
    /// The type that templates name.
    pub name: &'static str,
    /// Its own options first, then groups that it shares with others.
    pub schemas: Vec<Schema>,
    /// The type of the value that a data source gives.
    pub output: Option<Type>,
}

impl Component {
    /// What it is for.
    pub fn summary(&self) -> String {
        self.schemas.first().map(summary).unwrap_or_default()
    }

    /// The groups of its options, each with what it is about. Groups without options are left out.
    pub fn groups(&self) -> Vec<(String, Vec<OptionReference>)> {
        let groups = self.schemas.iter().map(|schema| (summary(schema), reference(schema)));
        groups.filter(|(_, options)| !options.is_empty()).collect()
    }

    /// `category.type`
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.category.word(), self.name)
    }
}

/// All components, by category and name.
pub fn components() -> Vec<Component> {
    let component = |category, name, mut schemas: Vec<Schema>, output| {
        // A component lists its own options last.
        schemas.reverse();
        Component { category, name, schemas, output }
    };
    let mut all: Vec<Component> = Vec::new();
    all.extend(sources::KINDS.iter().map(|k| component(Category::Source, k.name, (k.schema)(), None)));
    let data = data_sources::KINDS.iter();
    all.extend(data.map(|k| component(Category::Data, k.name, (k.schema)(), Some((k.output)()))));
    let common = || schema_for!(ProvisionerArguments);
    let provisioners = provisioners::KINDS.iter();
    all.extend(provisioners.map(|k| component(Category::Provisioner, k.name, vec![common(), (k.schema)()], None)));
    let common = || schema_for!(PostProcessorArguments);
    let processors = post_processors::KINDS.iter();
    all.extend(processors.map(|k| component(Category::PostProcessor, k.name, vec![common(), (k.schema)()], None)));
    all.push(component(Category::Communicator, "communicator", vec![schema_for!(CommunicatorOptions)], None));
    all
}

/// How a function is called: `join(separator string, lists list of any ...) string`.
pub fn signature(function: &Function) -> String {
    let shown = |param: &Param| format!("{} {}", param.name, (param.ty)());
    let mut params: Vec<String> = function.params.iter().map(shown).collect();
    params.extend(function.variadic.as_ref().map(|param| format!("{}...", shown(param))));
    format!("{}({}) {}", function.name, params.join(", "), (function.returns)()).replace("any single type", "any")
}

/// The names of all functions that have a signature.
pub fn function_names() -> Vec<&'static str> {
    functions::names().collect()
}
