//! Whether an instance is a spot one, and what the options say of that.

use super::options::Options;

impl Options {
    /// Whether a spot instance is wanted. (Packer asks for an on-demand instance without a type when only types for spot are given, which never works.)
    pub fn is_spot(&self) -> bool {
        !self.spot_instance_types.is_empty() || price(self).is_some()
    }

    /// The most that the spot instance may cost, where the template says so; otherwise it is the on-demand price.
    pub fn max_price(&self) -> Option<&str> {
        price(self).filter(|price| *price != "auto")
    }

    /// The types that the instance may have.
    pub fn instance_types(&self) -> Vec<String> {
        let one = self.instance_type.iter().filter(|kind| !kind.is_empty());
        one.chain(&self.spot_instance_types).cloned().collect()
    }
}

fn price(options: &Options) -> Option<&str> {
    options.spot_price.as_deref().filter(|price| !["", "0"].contains(price))
}

/// What EC2 knows, as the template writes it.
const STRATEGIES: [&str; 5] =
    ["lowest-price", "diversified", "capacity-optimized", "capacity-optimized-prioritized", "price-capacity-optimized"];

/// What is wrong with them.
pub fn problems(options: &Options) -> Vec<String> {
    let mut problems = Vec::new();
    let tags = [
        ("fleet_tags", options.fleet_tags.is_empty() && options.fleet_tag.is_empty()),
        ("spot_tags", options.spot_tags.is_empty() && options.spot_tag.is_empty()),
    ];
    if !options.is_spot() {
        let set = tags.iter().filter(|(_, is_empty)| !is_empty);
        problems.extend(set.map(|(name, _)| format!("{name} should not be set when not requesting a spot instance")));
    }
    if options.block_duration_minutes % 60 != 0 {
        problems.push("block_duration_minutes must be multiple of 60".to_owned());
    }
    if let Some(strategy) = options.spot_allocation_strategy.as_deref().filter(|text| !text.is_empty())
        && !STRATEGIES.contains(&strategy)
    {
        let known = STRATEGIES.join(", ");
        problems.push(format!("invalid spot allocation strategy \"{strategy}\", valid values are either {known}"));
    }
    if options.is_spot() && (options.ena_support == Some(true) || options.sriov_support) {
        problems.push("Spot instances do not support modification, which is required when either `ena_support` or `sriov_support` are set. Please ensure you use an AMI that already has either SR-IOV or ENA enabled.".to_owned());
    }
    problems
}

/// What a template's author should know.
pub fn warning(options: &Options) -> Option<String> {
    let text = "spot_price_auto_product is deprecated and no longer necessary for Packer builds. In future versions of Packer, inclusion of spot_price_auto_product will error your builds. Please take a look at our current documentation to understand how Packer requests Spot instances.";
    let given = options.spot_price_auto_product.as_deref().is_some_and(|text| !text.is_empty());
    given.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_or_types_ask_for_spot() {
        let priced = |price: &str| Options { spot_price: Some(price.into()), ..Options::default() };
        for (price, spot, most) in
            [("", false, None), ("0", false, None), ("auto", true, None), ("0.05", true, Some("0.05"))]
        {
            assert_eq!((priced(price).is_spot(), priced(price).max_price()), (spot, most), "{price:?}");
        }
        let types = Options { spot_instance_types: vec!["t3.micro".into()], ..Options::default() };
        assert!(types.is_spot() && types.instance_types() == ["t3.micro"]);
    }
}
