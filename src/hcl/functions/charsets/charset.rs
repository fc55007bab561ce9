//! Character sets by their names in IANA's register.

use encoding_rs::Encoding;

use super::code_pages::CODE_PAGES;

/// A way of writing text in bytes.
#[derive(Debug)]
pub(super) enum Charset {
    /// One byte for each of the first characters of Unicode: 128 of them in ASCII, 256 in ISO-8859-1.
    First(u32),
    /// ISO-8859-1 with the letters of Turkish for those of Icelandic.
    Turkish,
    /// UTF-16 with the bytes in one order, and a mark in front that says which.
    Utf16 { order: Order, mark: Mark },
    /// ASCII and these 128 characters.
    CodePage(&'static str),
    /// Any that the Web knows.
    Web(&'static Encoding),
}

/// Which byte of two comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

/// Whether a byte order mark is written, and read where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Used,
    Unused,
}

/// Names of sets that the Web takes for larger ones of Windows.
const ASCII: [&str; 6] = ["us-ascii", "ascii", "us", "iso646-us", "ansi_x3.4-1968", "csascii"];
const LATIN1: [&str; 8] =
    ["iso-8859-1", "iso_8859-1", "iso_8859-1:1987", "iso-ir-100", "latin1", "l1", "ibm819", "csisolatin1"];
const LATIN5: [&str; 7] = ["iso-8859-9", "iso_8859-9", "iso_8859-9:1989", "iso-ir-148", "latin5", "l5", "csisolatin5"];

/// Names of the other sets that are registered; the Web has more names, and means larger sets by some of them.
#[rustfmt::skip]
const REGISTERED: [&str; 94] = [
    "utf-8",
    "ibm866", "cp866", "866", "csibm866",
    "iso-8859-2", "iso_8859-2", "iso_8859-2:1987", "iso-ir-101", "latin2", "l2", "csisolatin2",
    "iso-8859-3", "iso_8859-3", "iso_8859-3:1988", "iso-ir-109", "latin3", "l3", "csisolatin3",
    "iso-8859-4", "iso_8859-4", "iso_8859-4:1988", "iso-ir-110", "latin4", "l4", "csisolatin4",
    "iso-8859-5", "iso_8859-5", "iso_8859-5:1988", "iso-ir-144", "cyrillic", "csisolatincyrillic",
    "iso-8859-6", "iso_8859-6", "iso_8859-6:1987", "iso-ir-127", "arabic", "csisolatinarabic", "iso-8859-6-e",
    "iso-8859-6-i", "iso-8859-7", "iso_8859-7", "iso_8859-7:1987", "iso-ir-126", "greek", "greek8", "csisolatingreek",
    "iso-8859-8", "iso_8859-8", "iso_8859-8:1988", "iso-ir-138", "hebrew", "csisolatinhebrew", "iso-8859-8-e",
    "iso-8859-8-i", "iso-8859-10", "iso-ir-157", "l6", "latin6", "csisolatin6",
    "iso-8859-13", "iso-8859-14", "iso-8859-15", "iso_8859-15", "iso-8859-16",
    "koi8-r", "cskoi8r", "koi8-u", "macintosh", "mac", "csmacintosh",
    "windows-874", "windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1255",
    "windows-1256", "windows-1257", "windows-1258",
    "big5", "csbig5", "euc-jp", "cseucpkdfmtjapanese", "euc-kr", "cseuckr", "gb18030", "gbk",
    "iso-2022-jp", "csiso2022jp", "shift_jis", "ms_kanji", "csshiftjis",
];

/// What ISO-8859-9 has in other places than ISO-8859-1.
const TURKISH: [(u8, char); 6] = [(0xd0, 'Ğ'), (0xdd, 'İ'), (0xde, 'Ş'), (0xf0, 'ğ'), (0xfd, 'ı'), (0xfe, 'ş')];

impl Charset {
    /// The set of a name, in capitals or small letters.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let is = |names: &[&str]| names.contains(&name.as_str());
        if is(&ASCII) {
            return Some(Self::First(0x80));
        }
        if is(&LATIN1) {
            return Some(Self::First(0x100));
        }
        if is(&LATIN5) {
            return Some(Self::Turkish);
        }
        let utf16 = |order, mark| Some(Self::Utf16 { order, mark });
        match name.as_str() {
            "utf-16" | "csutf16" => return utf16(Order::Big, Mark::Used),
            "utf-16be" | "csutf16be" => return utf16(Order::Big, Mark::Unused),
            "utf-16le" | "csutf16le" => return utf16(Order::Little, Mark::Unused),
            _ => {}
        }
        let number = name.strip_prefix("ibm").or_else(|| name.strip_prefix("cp")).unwrap_or(&name);
        if let Some((_, page)) = CODE_PAGES.iter().find(|(known, _)| *known == number.trim_start_matches('0')) {
            return Some(Self::CodePage(page));
        }
        let registered = REGISTERED.contains(&name.as_str());
        Encoding::for_label_no_replacement(name.as_bytes()).filter(|_| registered).map(Self::Web)
    }

    /// The bytes of a text; none if it has characters that the set does not have.
    pub(super) fn encode(&self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::First(count) => {
                let byte = |c| u8::try_from(u32::from(c)).ok().filter(|byte| u32::from(*byte) < *count);
                text.chars().map(byte).collect()
            }
            Self::Turkish => text.chars().map(turkish_byte).collect(),
            Self::Utf16 { order, mark } => {
                let mark = (*mark == Mark::Used).then_some(0xfeff);
                let units = mark.into_iter().chain(text.encode_utf16());
                Some(units.flat_map(|unit| order.bytes(unit)).collect())
            }
            Self::CodePage(page) => text.chars().map(|c| page_byte(page, c)).collect(),
            Self::Web(encoding) => {
                let (bytes, used, replaced) = encoding.encode(text);
                let same = !replaced && used == *encoding && !is_gap(encoding, text);
                same.then(|| bytes.into_owned())
            }
        }
    }

    /// The text of bytes; none if they stand for none.
    pub(super) fn decode(&self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::First(count) => {
                bytes.iter().map(|byte| Some(char::from(*byte)).filter(|c| u32::from(*c) < *count)).collect()
            }
            Self::Turkish => Some(bytes.iter().map(|byte| turkish_char(*byte)).collect()),
            Self::Utf16 { order, mark } => {
                let (order, bytes) = match (mark, bytes) {
                    (Mark::Used, [0xfe, 0xff, rest @ ..]) => (Order::Big, rest),
                    (Mark::Used, [0xff, 0xfe, rest @ ..]) => (Order::Little, rest),
                    _ => (*order, bytes),
                };
                let (pairs, []) = bytes.as_chunks() else { return None };
                let units: Vec<u16> = pairs.iter().map(|pair| order.unit(*pair)).collect();
                String::from_utf16(&units).ok()
            }
            Self::CodePage(page) => bytes.iter().map(|byte| page_char(page, *byte)).collect(),
            Self::Web(encoding) => {
                let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
                (!is_gap(encoding, &text)).then(|| text.into_owned())
            }
        }
    }
}

/// Whether text has what the Web puts in the gaps of the Windows sets: control characters that they do not have.
fn is_gap(encoding: &'static Encoding, text: &str) -> bool {
    encoding.name().starts_with("windows-") && text.contains(|c| ('\u{80}'..='\u{9f}').contains(&c))
}

impl Order {
    fn bytes(self, unit: u16) -> [u8; 2] {
        if self == Self::Big { unit.to_be_bytes() } else { unit.to_le_bytes() }
    }

    fn unit(self, bytes: [u8; 2]) -> u16 {
        if self == Self::Big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }
}

fn turkish_byte(c: char) -> Option<u8> {
    if let Some((byte, _)) = TURKISH.iter().find(|(_, turkish)| *turkish == c) {
        return Some(*byte);
    }
    let byte = u8::try_from(u32::from(c)).ok()?;
    (turkish_char(byte) == c).then_some(byte)
}

fn turkish_char(byte: u8) -> char {
    TURKISH.iter().find(|(turkish, _)| *turkish == byte).map_or(char::from(byte), |(_, c)| *c)
}

fn page_byte(page: &str, c: char) -> Option<u8> {
    if c.is_ascii() {
        return u8::try_from(u32::from(c)).ok();
    }
    let at = page.chars().position(|known| known == c)?;
    u8::try_from(at + 0x80).ok()
}

fn page_char(page: &str, byte: u8) -> Option<char> {
    match byte.checked_sub(0x80) {
        None => Some(char::from(byte)),
        Some(at) => page.chars().nth(at.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let cases: [(&str, &str, &[u8]); 12] = [
            ("UTF-8", "é", &[0xc3, 0xa9]),
            ("utf-16", "aé", &[0xfe, 0xff, 0, b'a', 0, 0xe9]),
            ("UTF-16LE", "😀", &[0x3d, 0xd8, 0, 0xde]),
            ("ISO-8859-1", "é\u{80}", &[0xe9, 0x80]),
            ("ISO-8859-9", "ğé", &[0xf0, 0xe9]),
            ("ISO-8859-15", "€", &[0xa4]),
            ("windows-1252", "€", &[0x80]),
            ("IBM437", "é█", &[0x82, 0xdb]),
            ("cp850", "é", &[0x82]),
            ("IBM00858", "€", &[0xd5]),
            ("Big5", "中", &[0xa4, 0xa4]),
            ("KOI8-R", "я", &[0xd1]),
        ];
        for (name, text, bytes) in cases {
            let charset = Charset::named(name).unwrap();
            assert_eq!(charset.encode(text).as_deref(), Some(bytes), "{name}");
            assert_eq!(charset.decode(bytes).as_deref(), Some(text), "{name}");
        }
    }

    #[test]
    fn what_a_set_does_not_have() {
        for (name, text) in [
            ("windows-1252", "\u{81}"),
            ("ISO-8859-1", "€"),
            ("us-ascii", "é"),
            ("ISO-8859-9", "ð"),
            ("Shift_JIS", "😀"),
        ] {
            assert_eq!(Charset::named(name).unwrap().encode(text), None, "{name}");
        }
        for (name, bytes) in [("UTF-8", &[0xff_u8][..]), ("UTF-16", &[0xd8, 0]), ("UTF-16", &[1]), ("us", &[0x80])] {
            assert_eq!(Charset::named(name).unwrap().decode(bytes), None, "{name}");
        }
        for name in ["", "nope", " utf-8", "utf-32", "iso-2022-kr", "utf8", "cp1252", "gb2312"] {
            assert!(Charset::named(name).is_none(), "{name}");
        }
    }
}
