//! The component types that there are, for the reading of templates.

use crate::hcl::Type;
use crate::hcl::decode::Layout;
use crate::template::{Kinds, Role};
use crate::{data_sources, post_processors, provisioners, sources};

/// A plugin of Packer's whose components are built in.
#[derive(Clone, Copy, Debug)]
pub struct Plugin {
    /// Where Packer has it from, as templates name it in `required_plugins`.
    pub source: &'static str,
    /// The version whose options the components read.
    pub version: &'static str,
}

/// The plugins that components were modelled on. What Packer has without any plugin is not among them.
const PLUGINS: [Plugin; 2] = [
    Plugin { source: "github.com/hashicorp/amazon", version: "1.8.3" },
    Plugin { source: "github.com/hashicorp/ansible", version: "1.1.4" },
];

/// The plugins that are built in: those of which there is any component.
pub fn plugins() -> Vec<Plugin> {
    let roles = [Role::Source, Role::Provisioner, Role::PostProcessor, Role::Data];
    let kinds: Vec<&str> = roles.into_iter().flat_map(|role| Registered.names(role)).collect();
    let is_of =
        |kind: &str, name: &str| kind.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    let has_kinds = |plugin: &Plugin| {
        let name = plugin.source.rsplit('/').next().unwrap_or_default();
        kinds.iter().any(|kind| is_of(kind, name))
    };
    PLUGINS.into_iter().filter(has_kinds).collect()
}

/// All registered component types.
pub struct Registered;

impl Kinds for Registered {
    fn names(&self, role: Role) -> Vec<&str> {
        match role {
            Role::Source => sources::KINDS.iter().map(|kind| kind.name).collect(),
            Role::Provisioner => provisioners::KINDS.iter().map(|kind| kind.name).collect(),
            Role::PostProcessor => post_processors::KINDS.iter().map(|kind| kind.name).collect(),
            Role::Data => data_sources::KINDS.iter().map(|kind| kind.name).collect(),
        }
    }

    fn layout(&self, role: Role, kind: &str) -> Option<Layout> {
        let schemas = match role {
            Role::Source => (sources::kind(kind)?.schema)(),
            Role::Provisioner => vec![(provisioners::kind(kind)?.schema)()],
            Role::PostProcessor => vec![(post_processors::kind(kind)?.schema)()],
            Role::Data => return None,
        };
        Some(Layout::of(&schemas))
    }

    fn data_output(&self, kind: &str) -> Option<Type> {
        data_sources::kind(kind).map(|kind| (kind.output)())
    }

    fn plugin(&self, source: &str) -> Option<&str> {
        plugins().into_iter().find(|plugin| plugin.source == source).map(|plugin| plugin.version)
    }
}
