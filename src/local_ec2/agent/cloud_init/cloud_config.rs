//! `#cloud-config` documents: read, and merged into one.

use serde_json::{Map, Value};

/// Keys that the stand-in acts upon.
const KNOWN: [&str; 16] = [
    "bootcmd",
    "fqdn",
    "groups",
    "hostname",
    "package_update",
    "package_upgrade",
    "packages",
    "preserve_hostname",
    "runcmd",
    "ssh_authorized_keys",
    "ssh_deletekeys",
    "timezone",
    "users",
    "write_files",
    // Old spellings of package_update and package_upgrade.
    "apt_update",
    "apt_upgrade",
];

/// All cloud-config of an instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CloudConfig(Map<String, Value>);

impl CloudConfig {
    /// Reads one document by the rules of YAML 1.1, which are PyYAML's: `yes` is true and 0644 is octal.
    ///
    /// # Errors
    /// The parser's message, with line and column.
    pub fn parse(text: &str) -> Result<Self, String> {
        let options = serde_saphyr::options! {
            legacy_octal_numbers: true,
            ignore_binary_tag_for_string: true,
            with_snippet: false,
        };
        match serde_saphyr::from_str_with_options(text, options).map_err(|e| e.to_string())? {
            Value::Object(map) => Ok(Self(map)),
            Value::Null => Ok(Self::default()),
            _ => Err("a cloud-config must be a mapping".to_owned()),
        }
    }

    /// A later document replaces the keys of earlier ones: cloud-init's way without `merge_how`.
    pub fn merge(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// The value of a key, null when it is absent.
    pub fn get(&self, key: &str) -> &Value {
        self.0.get(key).unwrap_or(&Value::Null)
    }

    /// Whether the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Keys that nothing here acts upon, for the log.
    pub fn unknown_keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|key| !KNOWN.contains(key))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_read_as_cloud_init_reads_them() {
        let text = "#cloud-config\npackage_update: yes\nwrite_files:\n- path: /a\n  permissions: 0600\n  content: |\n    x\n\
            runcmd:\n - [ls, -l]\n - echo \"$HOME\"\nntp: {enabled: true}\n";
        let mut config = CloudConfig::parse(text).unwrap();
        assert_eq!(config.get("package_update"), &json!(true));
        assert_eq!(config.get("write_files"), &json!([{"path": "/a", "permissions": 0o600, "content": "x\n"}]));
        assert_eq!(config.get("runcmd"), &json!([["ls", "-l"], "echo \"$HOME\""]));
        assert_eq!(config.unknown_keys().collect::<Vec<_>>(), ["ntp"]);
        config.merge(CloudConfig::parse("runcmd: [x]").unwrap());
        assert_eq!(config.get("runcmd"), &json!(["x"]));
        assert!(config.has("write_files") && config.get("users").is_null());
    }

    #[test]
    fn what_is_no_mapping_is_refused() {
        assert_eq!(CloudConfig::parse("#cloud-config\n").unwrap(), CloudConfig::default());
        assert!(CloudConfig::parse("- a").is_err());
        assert!(CloudConfig::parse("a: [").is_err());
    }
}
