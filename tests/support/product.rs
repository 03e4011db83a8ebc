//! Outbound messages the plain way: each ID of a type with each ID of every other type.

/// All combinations of one ID of each type, in the order of the types: the last type takes turns
/// fastest. One, without any ID, where there are none.
pub fn combinations<I: Clone>(ids: &[I], type_of: impl Fn(&I) -> &str) -> Vec<Vec<I>> {
    let mut types: Vec<&str> = ids.iter().map(&type_of).collect();
    types.sort_unstable();
    types.dedup();
    types.into_iter().fold(vec![Vec::new()], |combinations, id_type| {
        let with_each = |combination: &Vec<I>| {
            let of_type = ids.iter().filter(|id| type_of(id) == id_type);
            of_type.map(|id| [&**combination, std::slice::from_ref(id)].concat()).collect::<Vec<_>>()
        };
        combinations.iter().flat_map(with_each).collect()
    })
}
