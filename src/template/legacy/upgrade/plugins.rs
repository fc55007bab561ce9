//! The plugins in which Packer has the components that a template names. Kiln needs none; the block keeps the HCL usable
//! with both.

use std::collections::BTreeMap;

use crate::template::legacy::document::Document;

/// Prefixes of component types and the plugins they come from.
const PLUGINS: [(&str, &str); 19] = [
    ("amazon", "github.com/hashicorp/amazon"),
    ("ansible", "github.com/hashicorp/ansible"),
    ("azure", "github.com/hashicorp/azure"),
    ("chef", "github.com/hashicorp/chef"),
    ("docker", "github.com/hashicorp/docker"),
    ("googlecompute", "github.com/hashicorp/googlecompute"),
    ("hyperv", "github.com/hashicorp/hyperv"),
    ("inspec", "github.com/hashicorp/inspec"),
    ("lxc", "github.com/hashicorp/lxc"),
    ("lxd", "github.com/hashicorp/lxd"),
    ("openstack", "github.com/hashicorp/openstack"),
    ("oracle", "github.com/hashicorp/oracle"),
    ("proxmox", "github.com/hashicorp/proxmox"),
    ("puppet", "github.com/hashicorp/puppet"),
    ("qemu", "github.com/hashicorp/qemu"),
    ("vagrant", "github.com/hashicorp/vagrant"),
    ("virtualbox", "github.com/hashicorp/virtualbox"),
    ("vmware", "github.com/hashicorp/vmware"),
    ("vsphere", "github.com/hashicorp/vsphere"),
];

/// The plugins that a template needs, by name.
pub(super) fn required(document: &Document) -> BTreeMap<&'static str, String> {
    let others = document.provisioners.iter().chain(&document.cleanup).chain(document.chains.iter().flatten());
    let kinds = document.builders.iter().chain(others).map(|component| component.kind.as_str());
    let plugin = |kind: &str| {
        PLUGINS
            .iter()
            .find(|(name, _)| kind.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
    };
    kinds.filter_map(plugin).map(|(name, source)| (*name, (*source).to_owned())).collect()
}
