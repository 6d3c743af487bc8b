//! The currencies of ISO 4217.

const CODES: &str = "\
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN \
    BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS \
    GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW \
    KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN \
    NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK \
    SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU \
    UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// Those that were withdrawn (list three of the standard) and that a shop may still be set up with.
const WITHDRAWN: &str = "\
    ANG BGN BYR CUC CYP EEK GHC HRK LTL LVL MRO MTL RUR SIT SKK SLL STD TMM VEB VEF ZMK ZWD ZWL ZWR";

/// Whether a text is a currency, in either case: Meta's own samples write `usd`. Whether Meta takes those that
/// were withdrawn is not known: they pass.
pub(super) fn is_currency(text: &str) -> bool {
    is_of(CODES, text) || is_withdrawn(text)
}

pub(super) fn is_withdrawn(text: &str) -> bool {
    is_of(WITHDRAWN, text)
}

fn is_of(codes: &str, text: &str) -> bool {
    let Ok(&[a, b, c]) = <&[u8; 3]>::try_from(text.as_bytes()) else {
        return false;
    };
    let code = [a, b, c].map(|byte| byte.to_ascii_uppercase());
    let mut codes = codes.as_bytes().chunks(4);
    codes.any(|known| known[..3] == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        for text in ["USD", "usd", "AED", "ZWL", "EUR", "jpy"] {
            assert!(is_currency(text), "{text}");
        }
        for text in ["", "XYZ", "US$", "EURO", " USD", "US", "DAE", "D A", "€"] {
            assert!(!is_currency(text), "{text}");
        }
        for text in ["BYR", "mro", "HRK", "ZWL"] {
            assert!(is_currency(text) && is_withdrawn(text), "{text}");
        }
        assert!(!is_withdrawn("EUR"));
        for codes in [CODES, WITHDRAWN] {
            assert!(codes.split(' ').is_sorted());
            assert!(codes.split(' ').all(|code| code.len() == 3));
        }
    }
}
