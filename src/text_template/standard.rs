//! Functions that the users of templates share beyond the built-in ones: text, the clock, the machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::data::Data;
use super::functions::{Function, Functions, Parameter};
use super::go_time;
use super::limits::{MAX_TEXT, too_large};
use super::moment::Moment;
use super::strftime;

/// What the functions know of the world. It is fixed when a process starts, so that all its templates agree.
#[derive(Clone)]
pub struct Facts {
    /// What `timestamp`, `isotime`, `strftime` and `uuid` take for now; the zone is UTC.
    pub now: Moment,
    /// What `pwd` answers.
    pub working_directory: String,
    /// 96 fresh random bits at each call, for `uuid`.
    pub random: Arc<dyn Fn() -> [u8; 12] + Send + Sync>,
}

/// `upper lower replace replace_all split timestamp isotime strftime uuid pwd`, and those that exist only to say that they are
/// not to be had here: `template_dir user env sed vault consul_key aws_secretsmanager aws_secretsmanager_raw`.
pub fn functions(facts: Facts) -> Functions {
    let mut functions = Functions::new();
    add_text(&mut functions);
    add_clock(&mut functions, facts.now);
    functions.insert_constant("pwd", facts.working_directory);
    let (seconds, random) = (facts.now.unix_seconds, facts.random);
    functions.insert("uuid", Function::new(&[], move |_| Ok(time_ordered_uuid(seconds, random()).into())));
    for (name, message) in REFUSED {
        functions.insert(name, Function::refusing(message));
    }
    functions
}

/// A function that looks its argument up: `build` with the values of a build, for one.
pub fn lookup(values: BTreeMap<String, Data>) -> Function {
    Function::new(&[Parameter::String], move |arguments| {
        let name = text(arguments, 0);
        values.get(name).cloned().ok_or_else(|| format!("loaded data, but couldnt find {name} in it."))
    })
}

const REFUSED: [(&str, &str); 8] = [
    ("template_dir", "template path not available"),
    ("user", "there are no user variables in HCL2, write ${var.name}"),
    ("env", "env vars are not allowed here"),
    ("sed", "template function `sed` is deprecated use `replace` or `replace_all` instead."),
    ("vault", "vault is only allowed in the variables of JSON templates, in HCL2 use the function vault()"),
    (
        "consul_key",
        "consul_key is only allowed in the variables of JSON templates, in HCL2 use the function consul_key()",
    ),
    (
        "aws_secretsmanager",
        "aws_secretsmanager is only allowed in the variables of JSON templates, in HCL2 use the data source amazon-secretsmanager",
    ),
    (
        "aws_secretsmanager_raw",
        "aws_secretsmanager_raw is only allowed in the variables of JSON templates, in HCL2 use the function aws_secretsmanager_raw()",
    ),
];

fn add_text(functions: &mut Functions) {
    use Parameter::{Int, String};
    functions.insert("upper", Function::new(&[String], |values| Ok(upper(text(values, 0)).into())));
    functions.insert("lower", Function::new(&[String], |values| Ok(lower(text(values, 0)).into())));
    functions.insert(
        "replace",
        Function::new(&[String, String, Int, String], |values| {
            // A negative number means all of them.
            let count = usize::try_from(int(values, 2)).unwrap_or(usize::MAX);
            replace(text(values, 3), text(values, 0), text(values, 1), count)
        }),
    );
    functions.insert(
        "replace_all",
        Function::new(&[String, String, String], |values| {
            replace(text(values, 2), text(values, 0), text(values, 1), usize::MAX)
        }),
    );
    functions.insert("split", Function::new(&[String, String, Int], split));
}

fn add_clock(functions: &mut Functions, now: Moment) {
    functions.insert_constant("timestamp", now.unix_seconds.to_string());
    functions.insert(
        "isotime",
        Function::variadic(&[], Parameter::String, move |layout| match layout.len() {
            0 => Ok(go_time::format(now, go_time::RFC3339).into()),
            1 => Ok(go_time::format(now, text(layout, 0)).into()),
            count => Err(format!("too many values, 1 layout needed, got {count}")),
        }),
    );
    functions.insert(
        "strftime",
        Function::new(&[Parameter::String], move |format| Ok(strftime::format(now, text(format, 0)).into())),
    );
}

/// The executor has checked the types, so this is never the default.
fn text(values: &[Data], index: usize) -> &str {
    values.get(index).and_then(Data::as_str).unwrap_or_default()
}

fn int(values: &[Data], index: usize) -> i64 {
    match values.get(index) {
        Some(Data::Int(value)) => *value,
        _ => 0,
    }
}

/// Character by character, as Go does it: `ß` has no capital of one character and stays.
fn upper(text: &str) -> String {
    text.chars().map(|c| only(c.to_uppercase()).unwrap_or(c)).collect()
}

fn lower(text: &str) -> String {
    text.chars().map(|c| only(c.to_lowercase()).unwrap_or(c)).collect()
}

fn only(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    mapped.next().filter(|_| mapped.next().is_none())
}

fn replace(text: &str, old: &str, new: &str, count: usize) -> Result<Data, String> {
    let found = text.matches(old).take(count).count();
    if text.len().saturating_add(found.saturating_mul(new.len())) > MAX_TEXT {
        return Err(too_large());
    }
    Ok(text.replacen(old, new, count).into())
}

fn split(values: &[Data]) -> Result<Data, String> {
    let (whole, separator, index) = (text(values, 0), text(values, 1), int(values, 2));
    let pieces: Vec<&str> = match separator {
        // Without a separator every character is a piece.
        "" => whole.split("").filter(|piece| !piece.is_empty()).collect(),
        _ => whole.split(separator).collect(),
    };
    match usize::try_from(index).ok().and_then(|index| pieces.get(index)) {
        Some(piece) => Ok((*piece).into()),
        None => Err(format!(
            "the substring {index} was unavailable using the separator value, {separator}, only {} values were found",
            pieces.len()
        )),
    }
}

/// A UUID that begins with the seconds since 1970, so that later ones sort after earlier ones; the rest is random.
pub fn time_ordered_uuid(unix_seconds: i64, random: [u8; 12]) -> String {
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    // The low 32 bits, which last until 2106.
    let seconds = unix_seconds & 0xffff_ffff;
    format!("{seconds:08x}-{}-{}-{}-{}", &hex[..4], &hex[4..8], &hex[8..12], &hex[12..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text_template::Template;

    fn rendered(template: &str) -> Result<String, String> {
        let random = Arc::new(|| *b"0123456789ab");
        let facts = Facts { now: Moment::utc(1_707_491_045), working_directory: "/work".into(), random };
        let mut functions = functions(facts);
        functions.insert("build", lookup([("Name".to_string(), Data::from("web"))].into()));
        let template = Template::parse("root", template, &functions).map_err(|error| error.to_string())?;
        template.execute(&Data::empty_map()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_they_answer() {
        for (template, expected) in [
            ("{{upper `abc`}} {{ lower `DEF` }}", "ABC def"),
            ("{{ upper `stra\u{df}e` }}", "STRA\u{df}E"),
            (
                "{{ replace `a` `b` 1 `aaa` }} {{ replace `a` `b` -1 `aaa` }} {{ replace_all `a` `b` `aaa` }}",
                "baa bbb bbb",
            ),
            ("{{ split `x,y,z` `,` 1 }}{{ split `xyz` `` 2 }}", "yz"),
            ("{{ timestamp }} {{ isotime }}", "1707491045 2024-02-09T15:04:05Z"),
            ("{{ isotime \"2006-01-02\" }} {{ strftime `%Y` }}", "2024-02-09 2024"),
            ("{{ pwd }} {{ build `Name` }}", "/work web"),
            ("{{ uuid }}", "65c63ee5-3031-3233-3435-363738396162"),
        ] {
            assert_eq!(rendered(template).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn what_they_refuse() {
        for (template, expected) in [
            (
                "echo {{ env `HOME` }}",
                "template: root:1:8: executing \"root\" at <env `HOME`>: error calling env: env vars are not allowed here",
            ),
            (
                "echo {{ split `a,b` `,` 5 }}",
                "template: root:1:8: executing \"root\" at <split `a,b` `,` 5>: error calling split: the substring 5 was unavailable using the separator value, ,, only 2 values were found",
            ),
            (
                "echo {{ replace `a` `b` }}",
                "template: root:1:8: executing \"root\" at <replace>: wrong number of args for replace: want 4 got 2",
            ),
            (
                "echo {{ build `ID` }}",
                "template: root:1:8: executing \"root\" at <build `ID`>: error calling build: loaded data, but couldnt find ID in it.",
            ),
        ] {
            assert_eq!(rendered(template).unwrap_err(), expected, "{template}");
        }
        for name in [
            "template_dir",
            "user `x`",
            "sed `s/a/b/` `a`",
            "vault `a` `b`",
            "consul_key `k`",
            "aws_secretsmanager `n` `k`",
        ] {
            assert!(rendered(&format!("{{{{ {name} }}}}")).unwrap_err().contains("error calling"), "{name}");
        }
        let huge = "{{ $x := `aaaaaaaaaa` }}".to_string() + &"{{ $x = replace_all `a` $x $x }}".repeat(6);
        assert!(rendered(&huge).unwrap_err().contains("larger than"));
    }
}
