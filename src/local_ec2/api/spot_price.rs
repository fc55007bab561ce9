//! What spot instances cost: made up, but plausible, the same for everybody, and changing with time as real prices do.

use std::time::Duration;

use super::filter::Filters;
use super::instance_type::InstanceType;
use super::{Call, page};
use crate::local_ec2::state::{Moment, RegionInfo, Tags};
use crate::local_ec2::timing::uniform;
use crate::local_ec2::wire::{Error, Xml};

/// How long a price lasts.
const PERIOD: Duration = Duration::from_secs(6 * 3600);
/// EC2 tells the prices of the last 90 days.
const HISTORY: Duration = Duration::from_secs(90 * 24 * 3600);
/// How far back a request without a start looks.
const USUAL: Duration = Duration::from_secs(24 * 3600);
/// The one kind of system that is offered here.
const PRODUCT: &str = "Linux/UNIX";

/// Dollars an hour for an instance of this type in this zone at that time.
pub fn price_at(wanted: &InstanceType, zone: &str, at: Moment) -> f64 {
    let period = at.0.div_euclid(i64::try_from(PERIOD.as_millis()).unwrap_or(i64::MAX));
    let share = 0.25 + 0.2 * uniform(0, &format!("{} {zone}", wanted.name));
    let drift = 0.95 + 0.1 * uniform(0, &format!("{} {zone} {period}", wanted.name));
    wanted.on_demand_price() * share * drift
}

/// As the API writes prices.
pub fn text(price: f64) -> String {
    format!("{price:.6}")
}

/// Refuses an offer below the price.
pub fn check_offer(offer: Option<&str>, wanted: &InstanceType, zone: &str, now: Moment) -> Result<(), Error> {
    let Some(offer) = offer else { return Ok(()) };
    let price = price_at(wanted, zone, now);
    match offer.parse::<f64>() {
        Ok(most) if most > 0.0 && most.is_finite() => {
            if most >= price {
                return Ok(());
            }
            let text = format!(
                "Your Spot request price of {offer} is lower than the minimum required Spot request fulfillment price of {}.",
                text(price)
            );
            Err(Error::new("SpotMaxPriceTooLow", text))
        }
        _ => Err(Error::value(format!("Invalid value '{offer}' for the maximum Spot price."))),
    }
}

/// One line of the history.
struct Line {
    zone: String,
    instance_type: String,
    price: String,
    time: Moment,
}

/// DescribeSpotPriceHistory.
pub fn describe_history(call: &Call<'_>) -> Result<Xml, Error> {
    const KNOWN: [&str; 5] = ["availability-zone", "instance-type", "product-description", "spot-price", "timestamp"];
    let filters = Filters::read(call.params, &KNOWN)?;
    let (from, to) = (time(call, "StartTime")?, time(call, "EndTime")?.unwrap_or(call.now).min(call.now));
    let oldest = Moment(call.now.0 - i64::try_from(HISTORY.as_millis()).unwrap_or(0));
    let usual = Moment(to.0 - i64::try_from(USUAL.as_millis()).unwrap_or(0));
    let from = from.unwrap_or(usual).max(oldest).min(to);
    let products = call.params.list("ProductDescription");
    let found = if products.is_empty() || products.iter().any(|name| name.starts_with(PRODUCT)) {
        lines(call, from, to)?
    } else {
        Vec::new()
    };
    let passes = |line: &Line| {
        filters.pass(&Tags::new(), |name| {
            vec![match name {
                "availability-zone" => line.zone.clone(),
                "instance-type" => line.instance_type.clone(),
                "product-description" => PRODUCT.to_owned(),
                "spot-price" => line.price.clone(),
                _ => line.time.to_string(),
            }]
        })
    };
    let found: Vec<Line> = found.into_iter().filter(passes).collect();
    // The newest first, as on EC2.
    let page = page::cut(call, found, 1..=1000, |line| {
        format!("{:020} {} {}", i64::MAX - line.time.0, line.instance_type, line.zone)
    })?;
    let mut xml = Xml::new();
    xml.list("spotPriceHistorySet", &page.items, |xml, line| {
        xml.text("instanceType", &line.instance_type).text("productDescription", PRODUCT);
        xml.text("spotPrice", &line.price).text("timestamp", line.time).text("availabilityZone", &line.zone);
    });
    xml.text("nextToken", page.next.unwrap_or_default());
    Ok(xml)
}

fn time(call: &Call<'_>, name: &str) -> Result<Option<Moment>, Error> {
    let bad = |text: &str| Error::value(format!("Invalid value '{text}' for {name}. Expected an ISO 8601 time."));
    call.params.get(name).map(|text| Moment::parse(text).ok_or_else(|| bad(text))).transpose()
}

/// Every price that was valid in the time: the one at its beginning, and all that came after.
fn lines(call: &Call<'_>, from: Moment, to: Moment) -> Result<Vec<Line>, Error> {
    let zones = RegionInfo::find(&call.scope.region).map(RegionInfo::zones).unwrap_or_default();
    let wanted_zone = call.params.get("AvailabilityZone");
    let names = call.params.list("InstanceType");
    if let Some(unknown) = names.iter().find(|name| InstanceType::find(name).is_none()) {
        return Err(Error::value(format!("Invalid value '{unknown}' for InstanceType.")));
    }
    let step = i64::try_from(PERIOD.as_millis()).unwrap_or(i64::MAX);
    let first = from.0.div_euclid(step) * step;
    let mut found = Vec::new();
    for wanted in InstanceType::all().iter().filter(|t| names.is_empty() || names.contains(&t.name)) {
        for zone in zones.iter().filter(|zone| wanted_zone.is_none_or(|name| name == zone.name)) {
            let mut at = first;
            while wanted.is_offered_in(zone) && at <= to.0 {
                found.push(Line {
                    zone: zone.name.clone(),
                    instance_type: wanted.name.clone(),
                    price: text(price_at(wanted, &zone.name, Moment(at))),
                    time: Moment(at),
                });
                at += step;
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spot_is_cheaper_than_on_demand_and_offers_below_it_are_refused() {
        let wanted = InstanceType::find("m5.large").unwrap();
        let price = price_at(&wanted, "eu-west-1a", Moment(0));
        assert!(price > 0.01 && price < wanted.on_demand_price() / 2.0);
        assert!(check_offer(None, &wanted, "eu-west-1a", Moment(0)).is_ok());
        assert!(check_offer(Some("1.0"), &wanted, "eu-west-1a", Moment(0)).is_ok());
        let code = |offer| check_offer(Some(offer), &wanted, "eu-west-1a", Moment(0)).unwrap_err().code;
        assert_eq!((code("0.0001"), code("much")), ("SpotMaxPriceTooLow".into(), "InvalidParameterValue".into()));
    }
}
