//! Rows as an aligned table, the way `psql` shows them.

use std::fmt::Write;

/// A table with a header line and a row count. `None` is NULL, shown as nothing.
pub(super) fn render(columns: &[String], rows: &[Vec<Option<String>>]) -> String {
    let width = |index: usize| {
        let cells = rows.iter().filter_map(|row| row.get(index)?.as_deref());
        cells.flat_map(str::lines).chain([columns[index].as_str()]).map(display_width).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let right: Vec<bool> = (0..columns.len()).map(|index| is_numeric(rows, index)).collect();

    let mut out = String::new();
    let header: Vec<String> = columns.iter().zip(&widths).map(|(name, width)| centred(name, *width)).collect();
    let _ = writeln!(out, " {} ", header.join(" | ").trim_end());
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    let _ = writeln!(out, "{}", rule.join("+"));
    for row in rows {
        let cells: Vec<Vec<&str>> =
            row.iter().map(|cell| cell.as_deref().unwrap_or("").split('\n').collect()).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(1);
        for line in 0..height {
            let texts: Vec<String> = cells
                .iter()
                .enumerate()
                .map(|(index, lines)| {
                    let text = lines.get(line).copied().unwrap_or("");
                    let space = " ".repeat(widths[index].saturating_sub(display_width(text)));
                    // A value that goes on in the next line is marked, as psql does.
                    let mark = if line + 1 < lines.len() { "+" } else { " " };
                    if right[index] { format!(" {space}{text}{mark}") } else { format!(" {text}{space}{mark}") }
                })
                .collect();
            let _ = writeln!(out, "{}", texts.join("|").trim_end());
        }
    }
    let _ = writeln!(out, "({} row{})", rows.len(), if rows.len() == 1 { "" } else { "s" });
    out
}

/// Columns that the terminal needs: one a character, which is right for everything but wide and combining ones.
fn display_width(text: &str) -> usize {
    text.chars().filter(|c| !c.is_control()).count()
}

fn centred(text: &str, width: usize) -> String {
    let space = width.saturating_sub(display_width(text));
    format!("{}{text}{}", " ".repeat(space / 2), " ".repeat(space - space / 2))
}

/// Whether all values look like numbers: the simple protocol does not give the types.
fn is_numeric(rows: &[Vec<Option<String>>], index: usize) -> bool {
    let mut values = rows.iter().filter_map(|row| row.get(index)?.as_deref()).peekable();
    values.peek().is_some() && values.all(|v| v.parse::<f64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn aligned_like_psql() {
        let rows = vec![
            vec![Some("1".into()), Some("é".into())],
            vec![Some("22".into()), None],
            vec![None, Some("a\nb".into())],
        ];
        let table = render(&["id".into(), "name".into()], &rows);
        assert_eq!(table, " id | name \n----+------\n  1 | é\n 22 |\n    | a   +\n    | b\n(3 rows)\n");
    }
}
