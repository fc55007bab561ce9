//! How a struct's options are written, for those who write bodies instead of reading them.

use super::shape::{Fields, Form, Shape};

/// The options of a component, or the form of one of them.
#[derive(Debug, Clone)]
pub struct Layout {
    shape: Shape,
    form: Form,
}

/// How an option is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// `name = value`
    Attribute,
    /// `name { … }`, once.
    Block,
    /// `name { … }`, any number of times.
    Blocks,
}

/// What the value of an attribute looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Text, or anything.
    Text,
    /// A truth value.
    Truth,
    /// A number.
    Number,
    /// A list.
    List,
    /// Named values.
    Mapping,
}

impl Layout {
    /// The options that several schemas describe together.
    pub fn of(schemas: &[schemars::Schema]) -> Self {
        let all = schemas.iter().filter_map(|schema| match Shape::of_schema(schema) {
            Shape::Object(fields) => Some(fields),
            _ => None,
        });
        Self { shape: Shape::Object(all.fold(Fields::default(), Fields::with)), form: Form::Block }
    }

    /// The layout of one option; none if there is no such option.
    pub fn option(&self, name: &str) -> Option<Self> {
        let Shape::Object(fields) = self.inner() else { return None };
        let field = fields.get(name)?;
        Some(Self { shape: field.shape.clone(), form: field.form })
    }

    /// The layout of the elements of a list or mapping.
    #[must_use]
    pub fn element(&self) -> Self {
        let shape = match &self.shape {
            Shape::List(element) | Shape::Map(element) => (**element).clone(),
            _ => Shape::Any,
        };
        Self { shape, form: Form::Attribute }
    }

    /// How the option is written.
    pub fn written(&self) -> Written {
        match self.form {
            Form::Attribute => Written::Attribute,
            Form::Block => Written::Block,
            Form::Blocks => Written::Blocks,
        }
    }

    /// What its value looks like.
    pub fn look(&self) -> Look {
        match self.shape {
            Shape::Any | Shape::String => Look::Text,
            Shape::Bool => Look::Truth,
            Shape::Integer { .. } | Shape::Number => Look::Number,
            Shape::List(_) => Look::List,
            Shape::Map(_) | Shape::Object(_) => Look::Mapping,
        }
    }

    /// Whether it is a text and nothing else, so that a truth value is none.
    pub fn is_text(&self) -> bool {
        self.shape == Shape::String
    }

    /// What stands between the braces of a block.
    fn inner(&self) -> &Shape {
        match &self.shape {
            Shape::List(element) => element,
            shape => shape,
        }
    }
}
