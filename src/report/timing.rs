//! The table that says where the time of a build went.

use std::time::Duration;

use super::durations;

/// One row a label: its duration, and its share of `whole` (of the sum, where the whole is not known). Shares need not
/// add up to 100 %: steps may run at the same time, and not everything is a step.
pub fn table(rows: &[(String, Duration)], whole: Option<Duration>) -> String {
    let whole = whole.unwrap_or_else(|| rows.iter().map(|(_, time)| *time).sum());
    let mut lines = vec![format!("Where the time went ({}):", durations::brief(whole))];
    let widest = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    lines.extend(rows.iter().map(|(label, time)| {
        let share = percent(*time, whole);
        format!("  {label:<widest$}  {:>12}  {share:>3} %", durations::brief(*time))
    }));
    lines.join("\n")
}

fn percent(part: Duration, whole: Duration) -> u128 {
    // Rounded to the nearest; nothing of nothing is 0 %.
    (part.as_micros() * 200 + whole.as_micros()) / (whole.as_micros() * 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_straight() {
        let rows = [
            ("launch instance".to_owned(), Duration::from_millis(12_300)),
            ("provision".to_owned(), Duration::from_secs(252)),
            ("key".to_owned(), Duration::from_millis(340)),
        ];
        let lines = [
            "Where the time went (5 min 00 s):",
            "  launch instance        12.3 s    4 %",
            "  provision          4 min 12 s   84 %",
            "  key                    340 ms    0 %",
        ];
        assert_eq!(table(&rows, Some(Duration::from_secs(300))), lines.join("\n"));
    }

    #[test]
    fn without_a_whole_the_sum_is_the_whole() {
        let rows = [("a".to_owned(), Duration::from_secs(1)), ("b".to_owned(), Duration::from_secs(2))];
        assert!(table(&rows, None).ends_with("67 %"));
        assert_eq!(table(&[], None), "Where the time went (0 ms):");
        assert_eq!(percent(Duration::ZERO, Duration::ZERO), 0);
    }
}
