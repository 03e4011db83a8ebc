//! Going through lists that are kept in a box.

/// Gives a list `as_slice`, `len`, `iter` and both `IntoIterator`s: by reference, and by value.
macro_rules! listed {
    ($list:ident($($boxed:tt)+) of $item:ident, $order:literal) => {
        impl $list {
            #[doc = concat!("Each once, ", $order, ".")]
            pub fn as_slice(&self) -> &[$item] {
                &self.$($boxed)+
            }

            /// How many there are.
            #[allow(clippy::len_without_is_empty, reason = "most of these lists never are")]
            pub fn len(&self) -> usize {
                self.$($boxed)+.len()
            }

            #[doc = concat!("Each once, ", $order, ".")]
            pub fn iter(&self) -> ::core::slice::Iter<'_, $item> {
                self.$($boxed)+.iter()
            }
        }

        #[doc = concat!("Each once, ", $order, ".")]
        impl<'a> IntoIterator for &'a $list {
            type Item = &'a $item;
            type IntoIter = ::core::slice::Iter<'a, $item>;

            fn into_iter(self) -> Self::IntoIter {
                self.iter()
            }
        }

        #[doc = concat!("Each once, ", $order, ".")]
        impl IntoIterator for $list {
            type Item = $item;
            type IntoIter = ::alloc::vec::IntoIter<$item>;

            fn into_iter(self) -> Self::IntoIter {
                self.$($boxed)+.into_iter()
            }
        }
    };
}
pub(crate) use listed;
