//! What to say of names that a template uses and nobody knows.

use crate::hcl::eval::{Advice, Missing};

/// Words of a tool that shares the language, and what they are here.
const TERRAFORM: [(&str, &str); 9] = [
    ("aws_ami", "look images up with data \"amazon-ami\" and use data.amazon-ami.NAME.id"),
    ("count", "Terraform's count is not known here: repeat a block with dynamic, or list several sources in a build"),
    (
        "each",
        "Terraform's each is not known here: in a dynamic block the element is LABEL.value, LABEL being the block's label",
    ),
    ("module", "modules are Terraform's: put several files into one directory and give the directory instead"),
    ("resource", "resources are Terraform's: a template has source and build blocks"),
    ("self", "self is Terraform's: what is known of the machine in provisioners is in build, build.Host for one"),
    ("terraform", "terraform is another tool's: a template says packer { required_version = … }"),
    ("vars", "variables are read as var.NAME"),
    ("env", "environment variables are read in the default of a variable: default = env(\"NAME\")"),
];

/// What the names of templates are for.
pub fn advice(missing: Missing<'_>) -> Advice {
    match missing {
        Missing::Name(name) => Advice { wrong: None, hint: root(name) },
        Missing::Attribute { of, name } => attribute(of, name),
        Missing::Function(name) => Advice { wrong: None, hint: function(name) },
    }
}

fn root(name: &str) -> Option<String> {
    match name {
        "ID" | "Host" | "PackerRunUUID" | "SourceAMI" | "SourceAMIName" => {
            Some(format!("what a running build knows is in build: write build.{name}"))
        }
        "user" => Some("variables are read as var.NAME".to_owned()),
        "provisioner" | "post-processor" => Some(
            "in a dynamic block the element goes by the block's label, or by the name that iterator gives it"
                .to_owned(),
        ),
        _ => TERRAFORM.iter().find(|(word, _)| *word == name).map(|(_, hint)| (*hint).to_owned()),
    }
}

fn attribute(of: &str, name: &str) -> Advice {
    match of {
        "var" => Advice {
            wrong: Some(("Undeclared variable", format!("The template declares no variable \"{name}\"."))),
            hint: Some(format!("to declare it, write: variable \"{name}\" {{}}")),
        },
        "local" => Advice {
            wrong: Some(("Undeclared local", format!("The template has no local value \"{name}\"."))),
            hint: Some(format!("to declare it, write: locals {{ {name} = … }}")),
        },
        "build" => Advice {
            wrong: Some(("Unknown build value", format!("build.{name} is not known here."))),
            hint: Some(
                "what a build knows is there in the options of provisioners and post-processors, and nowhere else"
                    .to_owned(),
            ),
        },
        "source" => Advice {
            wrong: Some(("Unknown source value", format!("source.{name} is not known: it has only name and type."))),
            hint: Some(format!("to name a source, write the reference in quotes: \"source.{name}.NAME\"")),
        },
        _ => Advice::default(),
    }
}

fn function(name: &str) -> Option<String> {
    match name {
        "env" => Some(
            "declare a variable with default = env(\"NAME\"), the one place where the environment is read, and use the variable"
                .to_owned(),
        ),
        "user" => Some("variables are read as var.NAME".to_owned()),
        "isotime" | "build" | "template_dir" | "clean_resource_name" => {
            Some(format!("{name} belongs to the older templates: write it in a text as \"{{{{ {name} }}}}\""))
        }
        "lookup_env" | "getenv" => Some("write env(\"NAME\") in the default of a variable".to_owned()),
        "nonsensitive" | "templatestring" | "tostring" | "tonumber" | "tobool" | "tolist" | "tomap" | "toset" => {
            Some("Packer's templates have no such function; convert(value, type) converts a value".to_owned())
        }
        "filemd5" | "filesha1" | "filesha256" | "filesha512" => {
            Some(format!("write {}(file(PATH))", name.trim_start_matches("file")))
        }
        "sha256sum" | "hash" => Some("hashes are md5, sha1, sha256 and sha512".to_owned()),
        _ => Some("a value that changes or is computed goes into locals: locals { name = … }, then local.name".to_owned())
            .filter(|_| crate::hcl::functions::lookup(name).is_some()),
    }
}
