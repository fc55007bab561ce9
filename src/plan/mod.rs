//! What to do, as data: the result of reading a template. The engine never sees the language.

pub mod advice;
pub mod legacy;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::hcl::Value;
use crate::hcl::ast;
use crate::hcl::body::{EvaluatedBody, evaluate_body};
use crate::hcl::diagnostics::{Diagnostics, Sources, Span};
use crate::hcl::eval::Scope;
use crate::hcl::functions::{Allowed, Host};
use crate::hcl::value::Mapping;

/// A whole configuration, ready to run.
#[derive(Clone, Default)]
pub struct Plan {
    /// The selected builds, in the order in which they start.
    pub builds: Vec<BuildPlan>,
    /// What `inspect` shows.
    pub overview: Overview,
    /// Texts that must be masked in output.
    pub sensitive: Vec<String>,
    /// The source files, for diagnostics found later.
    pub sources: Arc<Sources>,
}

/// The parts of a configuration, as `inspect` lists them.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// Input variables by name.
    pub variables: Arc<Mapping>,
    /// Locals by name.
    pub locals: Arc<Mapping>,
    /// Build blocks in order.
    pub builds: Vec<BuildOverview>,
    /// What there is instead in a JSON template of the older form.
    pub json: Option<JsonOverview>,
}

/// The parts of a JSON template, as `inspect` lists them: as they are written, nothing rendered.
#[derive(Clone, Debug, Default)]
pub struct JsonOverview {
    /// Its description; empty when it has none.
    pub description: String,
    /// Names of variables that must be set.
    pub required: Vec<String>,
    /// Other variables and their defaults.
    pub optional: Vec<(String, String)>,
    /// Names and types of builders, in order.
    pub builders: Vec<(String, String)>,
    /// Types of provisioners, in order.
    pub provisioners: Vec<String>,
}

/// One build block, as `inspect` lists it.
#[derive(Clone, Debug, Default)]
pub struct BuildOverview {
    /// Its name; empty when it has none.
    pub name: String,
    /// Its description; empty when it has none.
    pub description: String,
    /// Its sources, `type.name`.
    pub sources: Vec<String>,
    /// Its provisioners, `type` or `type.name`.
    pub provisioners: Vec<String>,
    /// Its post-processors by chain.
    pub post_processors: Vec<Vec<String>>,
}

/// One source of one build block.
#[derive(Clone)]
pub struct BuildPlan {
    /// Display name: `build.type.name` or `type.name`.
    pub name: String,
    /// The build block's own name; empty when it has none.
    pub block_name: String,
    /// Type of the source, `amazon-ebs` for one.
    pub source_type: String,
    /// Name under which the source was declared; `PACKER_BUILD_NAME`.
    pub source_name: String,
    /// Name of this use of the source; differs from the declared one when the build renames it.
    pub use_name: String,
    /// The source's options.
    pub source: EvaluatedBody,
    /// Where the source block is.
    pub span: Span,
    /// The provisioners that apply to this source, in order.
    pub provisioners: Vec<ProvisionerSpec>,
    /// What runs when provisioning failed.
    pub error_cleanup: Option<ProvisionerSpec>,
    /// The post-processors that apply to this source, by chain.
    pub post_processors: Vec<Vec<PostProcessorSpec>>,
}

/// One provisioner of one build.
#[derive(Clone)]
pub struct ProvisionerSpec {
    /// Its type, `shell` for one.
    pub kind: String,
    /// Its name; empty when it has none.
    pub name: String,
    /// Pause before each attempt.
    pub pause_before: Duration,
    /// Attempts after the first one.
    pub max_retries: u32,
    /// Longest time of one attempt.
    pub timeout: Option<Duration>,
    /// What a failure does to the build.
    pub on_failure: OnFailure,
    /// Its options, still to be evaluated.
    pub options: Pending,
}

/// What a provisioner's failure does to its build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The build fails.
    #[default]
    Fail,
    /// It is reported and the build goes on (`continue_on_error`).
    Continue,
}

/// One post-processor of one build.
#[derive(Clone)]
pub struct PostProcessorSpec {
    /// Its type, `manifest` for one.
    pub kind: String,
    /// Its name; empty when it has none.
    pub name: String,
    /// What the template says of keeping the artifact it gets; the post-processor decides when unset.
    pub keep_input: Option<bool>,
    /// Its options, still to be evaluated.
    pub options: Pending,
}

/// A block whose options name things that are only known while the build runs (`build.ID`).
#[derive(Clone)]
pub struct Pending {
    /// The block's body, its common attributes taken out.
    pub body: Arc<ast::Body>,
    /// Attributes that replace those of the body (`override`).
    pub replaced: Option<Replaced>,
    /// The names it may use, all but `build`.
    pub names: Arc<BTreeMap<String, Value>>,
    /// The build block's name, `build.name`.
    pub block_name: String,
    /// Where the block is.
    pub span: Span,
    /// The world that functions see.
    pub host: Arc<dyn Host>,
}

/// Options that replace others.
#[derive(Clone)]
pub struct Replaced {
    /// The options by name.
    pub values: BTreeMap<String, Value>,
    /// Where those that are written out stand: name and value.
    pub places: BTreeMap<String, (Span, Span)>,
    /// Where all others are said to stand.
    pub span: Span,
}

/// The names that `build.NAME` knows before a build runs; each is `<unknown>` then (packer-core.md section 2.12).
pub const BUILD_VALUES: [&str; 13] = [
    "ID",
    "Host",
    "Port",
    "User",
    "Password",
    "ConnType",
    "PackerRunUUID",
    "PackerHTTPPort",
    "PackerHTTPIP",
    "PackerHTTPAddr",
    "SSHPublicKey",
    "SSHPrivateKey",
    "WinRMPassword",
];

impl BuildPlan {
    /// The types of all its components.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        let provisioners = self.provisioners.iter().chain(&self.error_cleanup).map(|spec| spec.kind.as_str());
        let post_processors = self.post_processors.iter().flatten().map(|spec| spec.kind.as_str());
        std::iter::once(self.source_type.as_str()).chain(provisioners).chain(post_processors)
    }
}

/// What is known of a build by name, with placeholders for names of [`BUILD_VALUES`] and `more` that are not known yet.
pub fn build_values(facts: &BTreeMap<String, Value>, more: &[&str]) -> BTreeMap<String, Value> {
    let placeholders = BUILD_VALUES.iter().chain(more).map(|name| ((*name).to_owned(), Value::string("<unknown>")));
    placeholders.chain(facts.iter().map(|(name, value)| (name.clone(), value.clone()))).collect()
}

impl Pending {
    /// Evaluates the options with the facts known so far: `build.NAME` by name. Names of [`BUILD_VALUES`] and `more` that `facts` lacks are the text `<unknown>`.
    pub fn evaluate(&self, facts: &BTreeMap<String, Value>, more: &[&str]) -> (EvaluatedBody, Diagnostics) {
        let mut build = build_values(facts, more);
        build.insert("name".into(), Value::string(&self.block_name));
        let mut names = (*self.names).clone();
        names.insert("build".into(), Value::object(build));
        let allowed = Allowed::Except(vec!["env"]);
        let scope = Scope::new(self.host.as_ref(), names).with_functions(&allowed).with_adviser(advice::advice);
        let (mut body, diagnostics) = evaluate_body(&self.body, &scope);
        body.span = self.span.clone();
        if let Some(replaced) = &self.replaced {
            let whole = (replaced.span.clone(), replaced.span.clone());
            body.replace(&replaced.values, |name| replaced.places.get(name).unwrap_or(&whole).clone());
        }
        (body, diagnostics)
    }
}
