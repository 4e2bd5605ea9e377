//! What the host keeps for its people: some fields and some photos, in memory, as a demo needs it.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use crate::people::PEOPLE;

pub(crate) const FIELDS: [&str; 4] = ["name", "address", "email", "schools"];

/// All data of all people.
#[derive(Debug)]
pub(crate) struct Data(RwLock<BTreeMap<&'static str, Person>>);

#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) personal: BTreeMap<String, String>,
    pub(crate) albums: BTreeMap<String, BTreeMap<String, String>>,
}

impl Data {
    pub(crate) fn demo() -> Self {
        Self(RwLock::new(
            PEOPLE
                .into_iter()
                .map(|name| (name, Person::demo(name)))
                .collect(),
        ))
    }

    pub(crate) fn read<T>(
        &self,
        person: &str,
        read: impl FnOnce(&Person) -> Option<T>,
    ) -> Option<T> {
        let people = self.0.read().unwrap_or_else(PoisonError::into_inner);
        people.get(person).and_then(read)
    }

    pub(crate) fn write<T>(
        &self,
        person: &str,
        write: impl FnOnce(&mut Person) -> Option<T>,
    ) -> Option<T> {
        let mut people = self.0.write().unwrap_or_else(PoisonError::into_inner);
        people.get_mut(person).and_then(write)
    }
}

impl Person {
    fn demo(name: &str) -> Self {
        let texts = |pairs: &[(&str, String)]| {
            pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone()))
                .collect()
        };
        let personal = texts(&[
            ("name", capitalised(name)),
            ("address", format!("1 {} Street", capitalised(name))),
            ("email", format!("{name}@example.org")),
            ("schools", String::from("Newcastle, Leeds")),
        ]);
        let photos = |album: &str| {
            texts(&[
                ("1", format!("{album}: the beach")),
                ("2", format!("{album}: the harbour")),
            ])
        };
        let albums = ["summer", "winter"]
            .into_iter()
            .map(|album| (album.to_owned(), photos(album)))
            .collect();
        Self { personal, albums }
    }
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
