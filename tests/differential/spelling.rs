//! How is a question spelled? The same parameters in another order and with other percent-encoding.

use std::fmt::Write;

use crate::chance::Chance;

/// Parameters as a query, in this order.
pub(crate) fn query(chance: &mut Chance, parameters: &[(String, String)]) -> String {
    let noisy = chance.percent(25);
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(chance, name, noisy), encoded(chance, value, noisy)))
        .collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// A path, now and then with letters encoded that need not be.
pub(crate) fn path(chance: &mut Chance, plain: &str) -> String {
    let noisy = chance.percent(5);
    plain.split('/').map(|segment| encoded(chance, segment, noisy)).collect::<Vec<_>>().join("/")
}

/// Another order that asks the same: where two have one name, the first stays the first.
pub(crate) fn shuffled(chance: &mut Chance, parameters: &[(String, String)]) -> Vec<(String, String)> {
    let mut places: Vec<usize> = (0..parameters.len()).collect();
    chance.shuffle(&mut places);
    let mut used = vec![false; parameters.len()];
    let mut drawn = Vec::with_capacity(parameters.len());
    for place in places {
        let name = &parameters[place].0;
        let next = (0..parameters.len()).find(|other| !used[*other] && parameters[*other].0 == *name);
        let next = next.expect("as many of a name as there are places for it");
        used[next] = true;
        drawn.push(parameters[next].clone());
    }
    drawn
}

fn encoded(chance: &mut Chance, text: &str, noisy: bool) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_.~,()*:!".contains(&byte);
        let more = noisy && chance.percent(10);
        if plain && !more {
            written.push(char::from(byte));
        } else if byte == b' ' && chance.percent(50) {
            written.push('+');
        } else {
            let _infallible = if chance.percent(30) {
                write!(written, "%{byte:02x}")
            } else {
                write!(written, "%{byte:02X}")
            };
        }
    }
    written
}
