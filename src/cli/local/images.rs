//! `kiln local images`: the images of local EC2 and their layers.

use std::fmt::Write as _;

use crate::engine::chain;
use crate::local_ec2::store::Image;

use super::Room;

/// Lists images and their layers
#[derive(clap::Args)]
pub struct Args {}

/// Runs the verb.
pub fn run(_: &Args, room: &Room<'_>) -> Result<(), String> {
    let images = room.store()?.images().map_err(|e| chain(&e))?;
    if images.is_empty() {
        room.reporter.print("There are no images yet: `kiln build --local TEMPLATE` bakes one.");
    }
    for image in &images {
        room.reporter.print(describe(image));
    }
    Ok(())
}

fn describe(image: &Image) -> String {
    let record = &image.record;
    let mut text = format!("{}  {}  {}\n  base   {}", image.id, record.name, record.created, record.base);
    for layer in &image.layers {
        // Writing to a string cannot fail.
        let _ =
            write!(text, "\n  layer  {}  {} ({} unpacked)", layer.digest, size(layer.size), size(layer.unpacked_size));
    }
    text
}

/// A size as people read it.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes() {
        assert_eq!((size(5), size(2048), size(3 << 30)), ("5 B".into(), "2.0 KiB".into(), "3.0 GiB".into()));
    }
}
