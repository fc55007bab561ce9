//! Puts the equals signs of neighbouring lines below each other, and then the comments at their ends.

use unicode_segmentation::UnicodeSegmentation;

use super::line::{Line, Placed};

/// Sets the spaces before every equals sign and every comment.
pub fn align(lines: &mut [Line<'_>]) {
    align_cells(lines, |line| line.assign);
    align_cells(lines, |line| line.comment);
}

/// Aligns one kind of cell in each run of lines that have it. `cell` gives the index of its first token.
fn align_cells(lines: &mut [Line<'_>], cell: impl Fn(&Line<'_>) -> Option<usize>) {
    let runs = lines.chunk_by_mut(|left, right| cell(left).is_some() && cell(right).is_some());
    for run in runs {
        let widths: Vec<usize> =
            run.iter().map(|line| cell(line).map_or(0, |start| width(&line.tokens[..start]))).collect();
        let widest = widths.iter().copied().max().unwrap_or(0);
        for (line, width) in run.iter_mut().zip(widths) {
            if let Some(start) = cell(line) {
                line.tokens[start].spaces = widest - width + 1;
            }
        }
    }
}

/// Columns from the line's start to the end of these tokens, counted in what readers take for characters.
fn width(tokens: &[Placed<'_>]) -> usize {
    tokens.iter().map(|placed| placed.spaces + columns(placed.token.text)).sum()
}

fn columns(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.graphemes(true).count() }
}
