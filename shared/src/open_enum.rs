//! Enums that stay open: the platform adds values without notice, and a new word must never make
//! an event unreadable.

/// Declares an enum of known words and `Other` for the rest.
///
/// Words are compared without regard to case, older spellings behind `|` mean the same, and what
/// is written is the current word. `Other` keeps its text exactly.
macro_rules! open_enum {
    (
        $(#[$doc:meta])*
        $name:ident {
            $( $(#[$variant_doc:meta])* $variant:ident = $word:literal $(| $older:literal)* , )+
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$variant_doc])* $variant, )+
            /// A word that this version does not know, as it came.
            Other(String),
        }

        impl $name {
            /// The word as the current documentation spells it.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $word, )+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                $(
                    if [$word $(, $older)*].iter().any(|known| known.eq_ignore_ascii_case(word)) {
                        return Self::$variant;
                    }
                )+
                Self::Other(word.to_owned())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Ok(Self::from(&*word))
            }
        }
    };
}

pub(crate) use open_enum;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::object::order::OrderStatus;

    #[test]
    fn reads_both_spellings_and_writes_the_current_one() {
        for word in ["cancelled", "canceled", "CANCELLED", "Canceled"] {
            assert_eq!(OrderStatus::from(word), OrderStatus::Cancelled);
        }
        let read: OrderStatus = serde_json::from_str("\"canceled\"").unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), "\"cancelled\"");
        assert_eq!(read.to_string(), "cancelled");
    }

    proptest! {
        #[test]
        fn unknown_words_round_trip(word: String) {
            let status = OrderStatus::from(word.as_str());
            if let OrderStatus::Other(kept) = &status {
                prop_assert_eq!(kept, &word);
            }
            let json = serde_json::to_string(&status).unwrap();
            prop_assert_eq!(serde_json::from_str::<OrderStatus>(&json).unwrap(), status);
        }
    }
}
