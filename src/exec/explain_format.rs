//! EXPLAIN's formats: a plan as text, JSON, YAML or XML (PostgreSQL manual, EXPLAIN; `explain_format.c` names the properties).

use crate::sql::statement::ExplainFormat;

use super::explain::{Line, Shown};

/// A property's value.
enum Value {
    /// Quoted.
    Text(String),
    /// A number or truth value, as it is written.
    Number(String),
    List(Vec<Value>),
    Object(Properties),
}

/// Properties in order.
#[derive(Default)]
struct Properties(Vec<(String, Value)>);

impl Properties {
    fn add(&mut self, name: &str, value: Value) {
        self.0.push((name.to_string(), value));
    }
}

fn text_of(text: &str) -> Value {
    Value::Text(text.to_string())
}

fn number(value: impl ToString) -> Value {
    Value::Number(value.to_string())
}

/// The rows of the answer. Other formats than text are one row.
pub(super) fn rendered(shown: Shown, format: ExplainFormat) -> Vec<String> {
    match format {
        ExplainFormat::Text => text(shown),
        ExplainFormat::Json => {
            let mut out = String::new();
            json(&Value::List(vec![Value::Object(tree(&shown))]), 0, &mut out);
            vec![out]
        }
        ExplainFormat::Yaml => {
            let mut out = String::new();
            yaml_object(&tree(&shown), 0, true, &mut out);
            vec![out.trim_end().to_string()]
        }
        ExplainFormat::Xml => {
            let mut out = String::from("<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n  <Query>\n");
            for (key, value) in &tree(&shown).0 {
                xml(key, value, 2, &mut out);
            }
            out.push_str("  </Query>\n</explain>");
            vec![out]
        }
    }
}

fn text(shown: Shown) -> Vec<String> {
    let mut lines: Vec<String> = shown.lines.iter().map(text_line).collect();
    if let Some((planning, execution)) = shown.times {
        lines.push(format!("Planning Time: {planning} ms"));
        lines.push(format!("Execution Time: {execution} ms"));
    }
    lines
}

fn text_line(line: &Line) -> String {
    if line.is_detail {
        return format!("{}{}", " ".repeat(line.depth * 6 + 2), line.text);
    }
    let mut out = match line.depth {
        0 => line.text.clone(),
        depth => format!("{}->  {}", " ".repeat(depth * 6 - 4), line.text),
    };
    if let Some(cost) = &line.cost {
        out.push_str(&format!("  (cost=0.00..{:.2} rows={} width={})", cost.total, cost.rows, cost.width));
    }
    if let Some((time, rows)) = &line.actual {
        let time = time.as_ref().map_or(String::new(), |time| format!("time={time}..{time} "));
        out.push_str(&format!(" (actual {time}rows={rows} loops=1)"));
    }
    out
}

/// The properties of the whole.
fn tree(shown: &Shown) -> Properties {
    let mut at = 0;
    let mut whole = Properties::default();
    if !shown.lines.is_empty() {
        whole.add("Plan", Value::Object(node(&shown.lines, &mut at)));
    }
    if let Some((planning, execution)) = &shown.times {
        whole.add("Planning Time", number(planning));
        whole.add("Execution Time", number(execution));
    }
    whole
}

/// The operator at `at`, with its details and what is below it.
fn node(lines: &[Line], at: &mut usize) -> Properties {
    let line = &lines[*at];
    *at += 1;
    let mut properties = named(&line.text);
    if let Some(cost) = &line.cost {
        properties.add("Startup Cost", number("0.00"));
        properties.add("Total Cost", number(format!("{:.2}", cost.total)));
        properties.add("Plan Rows", number(cost.rows));
        properties.add("Plan Width", number(cost.width));
    }
    if let Some((time, rows)) = &line.actual {
        if let Some(time) = time {
            properties.add("Actual Startup Time", number(time));
            properties.add("Actual Total Time", number(time));
        }
        properties.add("Actual Rows", number(rows));
        properties.add("Actual Loops", number(1));
    }
    let mut plans = Vec::new();
    while let Some(next) = lines.get(*at) {
        if next.is_detail && next.depth == line.depth {
            if let Some((key, value)) = next.text.split_once(": ") {
                let list = key.ends_with(" Key");
                let value = match list {
                    true => Value::List(value.split(", ").map(text_of).collect()),
                    false => text_of(value),
                };
                properties.add(key, value);
            }
            *at += 1;
        } else if !next.is_detail && next.depth > line.depth {
            plans.push(Value::Object(node(lines, at)));
        } else {
            break;
        }
    }
    if !plans.is_empty() {
        properties.add("Plans", Value::List(plans));
    }
    properties
}

/// What the head of an operator says: its type, and of what.
fn named(text: &str) -> Properties {
    let mut properties = Properties::default();
    let (kind, rest) = match (text.split_once(" using "), text.split_once(" on ")) {
        (Some((kind, rest)), _) => (kind, Some(rest)),
        (None, Some((kind, rest))) => (kind, Some(rest)),
        (None, None) => (text, None),
    };
    properties.add("Node Type", text_of(kind));
    properties.add("Parallel Aware", number(false));
    properties.add("Async Capable", number(false));
    let Some(mut rest) = rest else { return properties };
    if text.contains(" using ")
        && let Some((index, relation)) = rest.split_once(" on ")
    {
        properties.add("Index Name", text_of(index));
        rest = relation;
    }
    let (name, alias) = rest.split_once(' ').unwrap_or((rest, rest));
    let key = match kind {
        "Bitmap Index Scan" => "Index Name",
        "CTE Scan" => "CTE Name",
        "Function Scan" => "Function Name",
        _ => "Relation Name",
    };
    properties.add(key, text_of(name));
    if kind != "Bitmap Index Scan" {
        properties.add("Alias", text_of(alias));
    }
    properties
}

fn json(value: &Value, indent: usize, out: &mut String) {
    let (inner, outer) = (" ".repeat(indent + 2), " ".repeat(indent));
    match value {
        Value::Text(_) | Value::Number(_) => out.push_str(&scalar(value)),
        Value::List(items) if items.iter().all(|item| matches!(item, Value::Text(_))) => {
            let items: Vec<String> = items.iter().map(scalar).collect();
            out.push_str(&format!("[{}]", items.join(", ")));
        }
        Value::List(items) => {
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i == 0 { "[\n" } else { ",\n" });
                out.push_str(&inner);
                json(item, indent + 2, out);
            }
            out.push_str(&format!("\n{outer}]"));
        }
        Value::Object(object) => {
            for (i, (key, value)) in object.0.iter().enumerate() {
                out.push_str(if i == 0 { "{\n" } else { ",\n" });
                out.push_str(&format!("{inner}\"{key}\": "));
                json(value, indent + 2, out);
            }
            out.push_str(&format!("\n{outer}}}"));
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Text(text) => serde_json::to_string(text).unwrap_or_default(),
        Value::Number(text) => text.clone(),
        Value::List(_) | Value::Object(_) => String::new(),
    }
}

fn yaml_object(object: &Properties, indent: usize, in_list: bool, out: &mut String) {
    for (i, (key, value)) in object.0.iter().enumerate() {
        let lead = match (in_list, i) {
            (true, 0) => "- ",
            (true, _) => "  ",
            (false, _) => "",
        };
        out.push_str(&format!("{}{lead}{key}: ", " ".repeat(indent)));
        let inner = indent + 2 + if in_list { 2 } else { 0 };
        match value {
            Value::Object(object) => {
                out.push('\n');
                yaml_object(object, inner, false, out);
            }
            Value::List(items) => {
                out.push('\n');
                for item in items {
                    match item {
                        Value::Object(object) => yaml_object(object, inner, true, out),
                        other => out.push_str(&format!("{}- {}\n", " ".repeat(inner), scalar(other))),
                    }
                }
            }
            other => out.push_str(&format!("{}\n", scalar(other))),
        }
    }
}

fn xml(key: &str, value: &Value, depth: usize, out: &mut String) {
    let (name, indent) = (key.replace(' ', "-"), "  ".repeat(depth));
    match value {
        Value::Object(object) => {
            out.push_str(&format!("{indent}<{name}>\n"));
            for (key, value) in &object.0 {
                xml(key, value, depth + 1, out);
            }
            out.push_str(&format!("{indent}</{name}>\n"));
        }
        Value::List(items) => {
            out.push_str(&format!("{indent}<{name}>\n"));
            for item in items {
                let item_name = if matches!(item, Value::Object(_)) { "Plan" } else { "Item" };
                xml(item_name, item, depth + 1, out);
            }
            out.push_str(&format!("{indent}</{name}>\n"));
        }
        Value::Text(text) => {
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            out.push_str(&format!("{indent}<{name}>{text}</{name}>\n"));
        }
        Value::Number(text) => out.push_str(&format!("{indent}<{name}>{text}</{name}>\n")),
    }
}
