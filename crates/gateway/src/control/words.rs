//! Names of the journal as texts in JSON.

/// A dataset.
pub(super) mod dataset {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use sluice_event::DatasetId;

    pub(crate) fn serialize<S: Serializer>(
        dataset: &DatasetId,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(dataset.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<DatasetId, D::Error> {
        let text = String::deserialize(deserializer)?;
        DatasetId::parse(&text).map_err(D::Error::custom)
    }
}

/// A test code.
pub(super) mod some_code {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};
    use sluice_journal::TestCode;

    pub(crate) fn serialize<S: Serializer>(
        code: &TestCode,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(code.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<TestCode, D::Error> {
        let text = String::deserialize(deserializer)?;
        TestCode::parse(&text).map_err(D::Error::custom)
    }
}

/// A test code, or none.
pub(super) mod code {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use sluice_journal::TestCode;

    #[expect(clippy::ref_option, reason = "serde calls it with a reference")]
    pub(crate) fn serialize<S: Serializer>(
        code: &Option<TestCode>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        code.as_ref().map(TestCode::as_str).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<TestCode>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let code = text.map(|text| TestCode::parse(&text)).transpose();
        code.map_err(D::Error::custom)
    }
}
