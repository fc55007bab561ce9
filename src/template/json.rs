//! Which properties of a template in JSON syntax are blocks.

use crate::hcl::parse::{JsonBlock, JsonBody, OPEN};

/// A template file.
pub(super) static TEMPLATE: JsonBody = JsonBody {
    blocks: &[
        JsonBlock { kind: "packer", labels: 0, body: &PACKER },
        JsonBlock { kind: "variable", labels: 1, body: &VARIABLE },
        JsonBlock { kind: "variables", labels: 0, body: &FLAT },
        JsonBlock { kind: "locals", labels: 0, body: &FLAT },
        JsonBlock { kind: "local", labels: 1, body: &FLAT },
        JsonBlock { kind: "data", labels: 2, body: &OPEN },
        JsonBlock { kind: "source", labels: 2, body: &OPEN },
        JsonBlock { kind: "build", labels: 0, body: &BUILD },
        JsonBlock { kind: "hcp_packer_registry", labels: 0, body: &FLAT },
        JsonBlock { kind: "communicator", labels: 2, body: &OPEN },
    ],
    expressions: &[],
};

/// A file that sets variables, and every block without blocks.
pub(super) static FLAT: JsonBody = JsonBody { blocks: &[], expressions: &[] };

static PACKER: JsonBody =
    JsonBody { blocks: &[JsonBlock { kind: "required_plugins", labels: 0, body: &FLAT }], expressions: &[] };

static VARIABLE: JsonBody =
    JsonBody { blocks: &[JsonBlock { kind: "validation", labels: 0, body: &FLAT }], expressions: &["type"] };

static BUILD: JsonBody = JsonBody {
    blocks: &[
        JsonBlock { kind: "source", labels: 1, body: &OPEN },
        JsonBlock { kind: "provisioner", labels: 1, body: &OPEN },
        JsonBlock { kind: "error-cleanup-provisioner", labels: 1, body: &OPEN },
        JsonBlock { kind: "post-processor", labels: 1, body: &OPEN },
        JsonBlock { kind: "post-processors", labels: 0, body: &CHAIN },
        JsonBlock { kind: "hcp_packer_registry", labels: 0, body: &FLAT },
        JsonBlock { kind: "from", labels: 1, body: &OPEN },
        JsonBlock { kind: "dynamic", labels: 1, body: &DYNAMIC },
    ],
    expressions: &[],
};

/// A chain of post-processors, and what a `dynamic` block in a build generates, which may be such a chain.
static CHAIN: JsonBody = JsonBody {
    blocks: &[
        JsonBlock { kind: "post-processor", labels: 1, body: &OPEN },
        JsonBlock { kind: "dynamic", labels: 1, body: &DYNAMIC },
    ],
    expressions: &[],
};

static DYNAMIC: JsonBody =
    JsonBody { blocks: &[JsonBlock { kind: "content", labels: 0, body: &CHAIN }], expressions: &["iterator"] };
