//! How external IDs are read.

use crate::input::error::InputError;
use crate::input::external_id::{Collection, ExternalId, ExternalIdKey, NO_ENCODING};
use crate::input::read::field::Field;
use crate::input::read::object::{IgnoringUnknown, object};
use crate::input::read::shape::{Switch, Text};
use crate::input::read::{Read, deserialize_by_read};

object! {
    RawKey<'de>: IgnoringUnknown {
        "type" => id_type: Text<'de>,
        "id" => id: Text<'de>,
        "collection" => collection: Text<'de>,
    }
}

object! {
    RawExternalId<'de>: IgnoringUnknown {
        "type" => id_type: Text<'de>,
        "id" => id: Text<'de>,
        "collection" => collection: Text<'de>,
        "encoding" => encoding: Text<'de>,
        "created_at" => created_at: Text<'de>,
        "attached_at" => attached_at: Text<'de>,
        "subscribed" => subscribed: Switch,
    }
}

impl<'de> Read<'de> for ExternalIdKey {
    type Raw = Field<RawKey<'de>>;

    fn check(mut raw: Self::Raw) -> Result<Self, InputError> {
        Self::take(&mut raw)
    }

    #[inline]
    fn take(raw: &mut Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value_mut()?;
        let (id_type, id) = (raw.id_type.non_empty("type")?, raw.id.non_empty("id")?);
        let collection = Collection::read(&raw.collection)?;
        Ok(Self { collection, id_type: id_type.into(), id: id.into() })
    }
}

impl<'de> Read<'de> for ExternalId {
    type Raw = Field<RawExternalId<'de>>;

    fn check(mut raw: Self::Raw) -> Result<Self, InputError> {
        Self::take(&mut raw)
    }

    #[inline]
    fn take(raw: &mut Self::Raw) -> Result<Self, InputError> {
        let raw = raw.value_mut()?;
        let (id_type, id) = (raw.id_type.non_empty("type")?, raw.id.non_empty("id")?);
        let collection = Collection::read(&raw.collection)?;
        let encoding = match raw.encoding.as_optional("encoding")? {
            Some(Text(encoding)) if encoding != NO_ENCODING => Some(encoding.as_ref().into()),
            _ => None,
        };
        let created_at = raw.created_at.timestamp("created_at")?;
        let attached_at = raw.attached_at.timestamp("attached_at")?;
        let subscribed = raw.subscribed.as_optional("subscribed")?.map(|Switch(subscribed)| *subscribed);
        Ok(Self {
            key: ExternalIdKey { collection, id_type: id_type.into(), id: id.into() },
            encoding,
            created_at,
            attached_at,
            subscribed,
        })
    }
}

deserialize_by_read!(ExternalIdKey, ExternalId);

impl Collection {
    fn read(field: &Field<Text<'_>>) -> Result<Self, InputError> {
        match field.as_optional("collection")? {
            Some(Text(name)) => Self::from_name("collection", name),
            None => Ok(Self::default()),
        }
    }
}
