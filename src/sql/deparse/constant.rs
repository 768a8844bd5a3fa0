//! Constants and the names of types.

use crate::document::{Datum, Type};
use crate::sql::{io, user_types};

use super::Writer;

pub(super) fn quoted(text: &str) -> String {
    // Never E'': a backslash is itself.
    format!("'{}'", text.replace('\'', "''"))
}

/// When a constant says its type.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Label {
    Never,
    WhereNeeded,
    Always,
}

impl Writer<'_> {
    pub(super) fn text(&self, value: &Datum, typ: Type) -> String {
        let mut out = String::new();
        io::output(value, typ, &self.context, &mut out);
        out
    }

    pub(super) fn type_name(&self, typ: Type) -> String {
        // Without a length these words would mean one of 1.
        match Type::new(typ.oid) {
            Type::BPCHAR if typ.typmod < 0 => return "bpchar".to_string(),
            Type::BPCHAR_ARRAY if typ.typmod < 0 => return "bpchar[]".to_string(),
            Type::BIT if typ.typmod < 0 => return "\"bit\"".to_string(),
            _ => {}
        }
        let typmod = Some(typ.typmod).filter(|typmod| *typmod >= 0);
        match self.layout.pretty || self.shape().is_some() {
            true => user_types::format(&self.context, typ.oid, typmod),
            false => user_types::format_along(&self.context.host.catalog(), &[], typ.oid, typmod),
        }
    }

    /// PostgreSQL's `get_const_expr`.
    pub(super) fn constant(&mut self, value: &Datum, typ: Type, label: Label) {
        let (text, needed) = match value {
            Datum::Null => ("NULL".to_string(), true),
            Datum::Bool(value) => (value.to_string(), false),
            Datum::Int4(n) if *n >= 0 => (n.to_string(), false),
            Datum::Numeric(n) => {
                let text = n.to_string();
                let plain = text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('.');
                if plain { (text, typ.typmod >= 0) } else { (format!("'{text}'"), true) }
            }
            // By number where the text is kept: the object may be renamed.
            Datum::Oid(oid) if self.shape().is_none() => (format!("'{oid}'"), true),
            value if typ == Type::UNKNOWN => (quoted(&self.text(value, typ)), false),
            value => (quoted(&self.text(value, typ)), true),
        };
        self.push(&text);
        if label == Label::Always || (needed && label == Label::WhereNeeded) {
            let name = self.type_name(typ);
            self.push("::");
            self.push(&name);
        }
    }
}
