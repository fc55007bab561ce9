//! What CopyImage and CopySnapshot have in common.

use crate::local_ec2::state::RegionInfo;
use crate::local_ec2::wire::{Error, Params};

/// Refuses a source region that is unknown or in another partition.
pub fn check_region(source: &str, here: &str) -> Result<(), Error> {
    let known = RegionInfo::find(source).map(RegionInfo::partition);
    if known.is_some() && known == RegionInfo::find(here).map(RegionInfo::partition) {
        return Ok(());
    }
    Err(Error::new("InvalidRegion", format!("The specified region '{source}' does not exist")))
}

/// Time-based copies are accepted in their legal range; here they take as long as the profile says.
pub fn check_minutes(params: &Params, name: &str) -> Result<(), Error> {
    match params.int(name)? {
        Some(minutes) if minutes % 15 != 0 || !(15..=2880).contains(&minutes) => Err(Error::value(format!(
            "Value ({minutes}) for parameter {name} is invalid. A multiple of 15 from 15 to 2880."
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_stay_in_their_partition() {
        assert!(check_region("us-east-1", "eu-west-1").is_ok());
        for source in ["mars-1", "cn-north-1"] {
            assert_eq!(check_region(source, "eu-west-1").unwrap_err().code, "InvalidRegion");
        }
        assert!(check_minutes(&Params::parse("M=30"), "M").is_ok());
        assert!(check_minutes(&Params::parse("M=31"), "M").is_err());
    }
}
