//! How far lines are indented: two spaces for each line that opened more brackets than it closed.

use super::lexer::Kind;
use super::line::Line;
use super::spacing::bracket;

const STEP: usize = 2;

/// Sets the spaces at the start of every line.
pub fn indent(lines: &mut [Line<'_>]) {
    // For each level the number of brackets that have to be closed to leave it.
    let mut levels: Vec<i32> = Vec::new();
    for line in lines.iter_mut().filter(|line| !line.is_blank()) {
        let net = net_brackets(line);
        if net < 0 {
            close(&mut levels, -net);
        }
        line.tokens[0].spaces = STEP * levels.len();
        if net > 0 {
            levels.push(net);
        }
    }
}

fn close(levels: &mut Vec<i32>, mut closed: i32) {
    while closed > 0 {
        match levels.last_mut() {
            Some(open) if *open > closed => {
                *open -= closed;
                return;
            }
            Some(open) => {
                closed -= *open;
                levels.pop();
            }
            None => return,
        }
    }
}

/// Brackets opened less those closed. What a heredoc's text opens and closes is its own affair.
fn net_brackets(line: &Line<'_>) -> i32 {
    let kinds = line.code().iter().map(|placed| placed.token.kind);
    kinds.take_while(|kind| *kind != Kind::OpenHeredoc).map(bracket).sum()
}
