//! The names that expressions may use, as far as they are known by now.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::{io, iter};

use crate::hcl::ast::Expr;
use crate::hcl::convert::{convert, remedy};
use crate::hcl::diagnostics::{Diagnostic, Diagnostics};
use crate::hcl::eval::{Scope, Work, evaluate};
use crate::hcl::functions::{Allowed, Host, HttpGet, PathKind};
use crate::hcl::types::Type;
use crate::hcl::value::{Data, Mapping, Value};
use crate::plan::advice::advice;

/// The functions of all expressions but variable defaults: `env` is only for those.
pub(super) static ALL_BUT_ENV: LazyLock<Allowed> = LazyLock::new(|| Allowed::Except(vec!["env"]));

/// Names and values, as a scope takes them.
pub(super) type Names = BTreeMap<String, Value>;

/// Whether values may be unknown only because something failed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Nothing failed: an unknown value is one that is not known yet.
    Sound,
    /// Something failed and was reported; what depends on it is unknown and not worth another report.
    Damaged,
}

/// What is known of the names.
pub(super) struct World {
    pub host: Arc<dyn Host>,
    /// What expressions outside of builds can name: of `source` nothing is known, and `build` has nothing. Scopes look
    /// into it where it is, so that a thousand locals are not copied for each of a thousand.
    outer: Names,
    /// What `data` has, by type.
    data: BTreeMap<String, Arc<Mapping>>,
    pub health: Health,
    /// What evaluating the template has cost so far.
    work: Work,
}

impl World {
    /// A world without variables, locals and data.
    pub fn new(host: Arc<dyn Host>, root: &str, cwd: &str, version: &str) -> Self {
        let slashes = |path: &str| Value::string(path.replace('\\', "/"));
        let path = Value::object([("root".into(), slashes(root)), ("cwd".into(), slashes(cwd))].into());
        let packer = Value::object(
            [
                ("version".into(), Value::string(version)),
                ("iterationID".into(), Value::unknown(Type::String)),
                ("versionFingerprint".into(), Value::unknown(Type::String)),
            ]
            .into(),
        );
        let source = ["name", "type"].map(|name| (name.into(), Value::unknown(Type::String)));
        let mut outer: Names =
            ["var", "local", "data", "build"].map(|name| (name.into(), Value::object(Names::new()))).into();
        outer.extend([
            ("path".into(), path),
            ("packer".into(), packer),
            ("source".into(), Value::object(source.into())),
        ]);
        Self { host, outer, data: BTreeMap::new(), health: Health::Sound, work: Work::default() }
    }

    /// Sets `var`.
    pub fn set_variables(&mut self, values: Names) {
        self.outer.insert("var".into(), Value::object(values));
    }

    /// Sets `local.NAME`.
    pub fn set_local(&mut self, name: String, value: Value) {
        if let Some(locals) = self.outer.get_mut("local") {
            locals.insert(name, value);
        }
    }

    /// Sets `data.TYPE.NAME`.
    pub fn set_data(&mut self, kind: &str, name: String, value: Value) {
        // It must be gone before the value comes in: adding to what it shares would copy all of that.
        self.outer.remove("data");
        Arc::make_mut(self.data.entry(kind.to_owned()).or_default()).insert(name, value);
        let of_kind = |(kind, names): (&String, &Arc<Mapping>)| (kind.clone(), Data::Object(Arc::clone(names)).into());
        self.outer.insert("data".into(), Value::object(self.data.iter().map(of_kind).collect()));
    }

    /// What `var` has.
    pub fn variables(&self) -> Arc<Mapping> {
        self.attributes("var")
    }

    /// What `local` has.
    pub fn locals(&self) -> Arc<Mapping> {
        self.attributes("local")
    }

    fn attributes(&self, root: &str) -> Arc<Mapping> {
        match self.outer.get(root).map(Value::data) {
            Some(Data::Object(attributes)) => Arc::clone(attributes),
            _ => Arc::default(),
        }
    }

    /// The names for everything but `source` and `build`.
    pub fn names(&self) -> Names {
        let mut names = self.outer.clone();
        names.remove("source");
        names.remove("build");
        names
    }

    /// The names outside of builds.
    pub fn outer_names(&self) -> &Names {
        &self.outer
    }

    /// The names of a build block's own arguments.
    pub fn build_names(&self, build: &str) -> Names {
        let mut names = self.outer.clone();
        names.insert("build".into(), Value::object([("name".into(), Value::string(build))].into()));
        names
    }

    /// A scope with these names.
    pub fn scope(&self, names: Names) -> Scope<'_> {
        self.equipped(Scope::new(self.host.as_ref(), names))
    }

    /// The scope outside of builds.
    pub fn outer_scope(&self) -> Scope<'_> {
        self.equipped(Scope::over(self.host.as_ref(), &self.outer))
    }

    fn equipped<'a>(&'a self, scope: Scope<'a>) -> Scope<'a> {
        scope.with_functions(&ALL_BUT_ENV).with_work(self.work.clone()).with_adviser(advice)
    }

    /// A value that must be known now, of a type; none if it is null or cannot be had. Faults are reported, but not
    /// that a value is unknown because of an earlier fault.
    pub fn known(&self, expr: &Expr, ty: &Type, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Option<Value> {
        let value = keep(evaluate(expr, scope), diagnostics)?;
        let unsuitable =
            |why: &str| Diagnostic::error("Unsuitable value type", format!("Unsuitable value: {why}.")).at(&expr.span);
        if !value.is_wholly_known() {
            if self.health == Health::Sound {
                diagnostics.push(unsuitable("value must be known").hint(Some(
                    "it depends on something that is only known later, such as a data source that validate does not \
                     run"
                        .to_owned(),
                )));
            }
            return None;
        }
        match convert(&value, ty) {
            Ok(value) => Some(value).filter(|value| !value.is_null()),
            Err(error) => {
                diagnostics.push(unsuitable(&error.to_string()).hint(remedy(&value, ty)));
                None
            }
        }
    }
}

/// The result, or none with the diagnostics kept.
pub(super) fn keep<T>(result: Result<T, Diagnostics>, diagnostics: &mut Diagnostics) -> Option<T> {
    result.map_err(|errors| diagnostics.extend(errors)).ok()
}

/// A literal value of a type, not null: no variables, no functions.
pub(super) fn literal(expr: &Expr, ty: &Type, diagnostics: &mut Diagnostics) -> Option<Value> {
    let value = keep(crate::hcl::eval::evaluate_as(expr, ty, &Scope::literal()), diagnostics)?;
    if value.is_null() {
        let detail = format!("Unsuitable value: {ty} required, not null.");
        diagnostics.push(Diagnostic::error("Unsuitable value type", detail).at(&expr.span));
        return None;
    }
    Some(value)
}

/// The strings of a list of strings.
pub(super) fn texts(value: &Value) -> Vec<String> {
    let values = value.as_sequence().into_iter().flatten();
    values.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The texts to mask of a value that was declared sensitive: each string in it as a whole, with Unix line ends, and
/// line by line.
pub(super) fn secret_texts(value: &Value) -> impl Iterator<Item = String> {
    value.clone().sensitive().sensitive_texts().into_iter().flat_map(|text| {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let unix = text.replace("\r\n", "\n");
        iter::once(text).chain([unix]).chain(lines).filter(|text| !text.is_empty()).collect::<Vec<_>>()
    })
}

/// A host whose relative paths start from the working directory instead of the template's folder.
pub(super) struct FromWorkingDirectory<'a>(pub &'a dyn Host);

impl Host for FromWorkingDirectory<'_> {
    fn root(&self) -> &Path {
        self.0.cwd()
    }

    fn cwd(&self) -> &Path {
        self.0.cwd()
    }

    fn home(&self) -> Option<PathBuf> {
        self.0.home()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.read(path)
    }

    fn kind(&self, path: &Path) -> io::Result<PathKind> {
        self.0.kind(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<(String, PathKind)>> {
        self.0.list(path)
    }

    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }

    fn started(&self) -> jiff::Timestamp {
        self.0.started()
    }

    fn env(&self, name: &str) -> Option<String> {
        self.0.env(name)
    }

    fn random(&self, bytes: &mut [u8]) {
        self.0.random(bytes);
    }

    fn http_get(&self, request: &HttpGet<'_>) -> Result<String, String> {
        self.0.http_get(request)
    }

    fn aws_secret(&self, name: &str) -> Result<String, String> {
        self.0.aws_secret(name)
    }
}
