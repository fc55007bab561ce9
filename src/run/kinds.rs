//! The component types that there are, for the reading of templates.

use crate::hcl::Type;
use crate::template::{Kinds, Role};
use crate::{data_sources, post_processors, provisioners, sources};

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

    fn data_output(&self, kind: &str) -> Option<Type> {
        data_sources::kind(kind).map(|kind| (kind.output)())
    }
}
