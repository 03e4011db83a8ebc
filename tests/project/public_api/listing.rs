//! The public interface as code: the sources without what is private, without bodies and docs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Fields, File, ImplItem, Item, ItemUse, UseTree, Visibility, parse_quote};

/// The listing of all modules, in the order of their files.
pub fn of_sources() -> String {
    let exported = exported();
    let mut items: Vec<Item> = uses();
    for path in modules() {
        items.extend(parse(&path).items.into_iter().filter_map(|item| public(item, &exported)));
    }
    let mut file = File { shebang: None, attrs: Vec::new(), items };
    Bare.visit_file_mut(&mut file);
    prettyplease::unparse(&file)
}

/// The names of all structs and enums that are exported.
pub fn exported_types() -> BTreeSet<String> {
    let exported = exported();
    let items = modules().into_iter().flat_map(|path| parse(&path).items);
    let names = items.filter_map(|item| match item {
        Item::Struct(item) => Some(item.ident.to_string()),
        Item::Enum(item) => Some(item.ident.to_string()),
        _ => None,
    });
    names.filter(|name| exported.contains(name)).collect()
}

/// The macros that give types a public interface; `public_api.rs` says which.
const MACROS: [&str; 4] = ["deserialize_by_read", "hex_id", "labels", "listed"];

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn modules() -> Vec<PathBuf> {
    let mut modules = Vec::new();
    let mut folders = vec![sources()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                modules.push(path);
            }
        }
    }
    modules.sort();
    modules
}

fn parse(path: &Path) -> File {
    syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What `lib.rs` and the `mod.rs` of public modules export: they are the only ones that do.
fn uses() -> Vec<Item> {
    let files =
        ["lib.rs", "compare/mod.rs", "memory/mod.rs", "segment/mod.rs"].map(|file| sources().join(file));
    let items = files.iter().flat_map(|path| parse(path).items);
    items.filter(|item| matches!(item, Item::Use(item) if is_public(&item.vis))).collect()
}

fn exported() -> BTreeSet<String> {
    fn names(tree: &UseTree) -> Vec<String> {
        match tree {
            UseTree::Path(path) => names(&path.tree),
            UseTree::Group(group) => group.items.iter().flat_map(names).collect(),
            UseTree::Name(name) => vec![name.ident.to_string()],
            UseTree::Rename(_) | UseTree::Glob(_) => panic!("exports are by name"),
        }
    }
    let uses = uses();
    uses.iter()
        .flat_map(|item| if let Item::Use(ItemUse { tree, .. }) = item { names(tree) } else { vec![] })
        .collect()
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The item without what is private; `None` if nothing is left.
fn public(item: Item, exported: &BTreeSet<String>) -> Option<Item> {
    let is_exported = |name: &syn::Ident| exported.contains(&name.to_string());
    match item {
        Item::Fn(item) if is_public(&item.vis) => Some(Item::Fn(item)),
        Item::Mod(item) if is_public(&item.vis) => Some(Item::Mod(item)),
        Item::Trait(item) if is_exported(&item.ident) => Some(Item::Trait(item)),
        Item::Enum(item) if is_exported(&item.ident) => Some(Item::Enum(item)),
        Item::Struct(mut item) if is_exported(&item.ident) => {
            item.fields = without_private(item.fields);
            Some(Item::Struct(item))
        }
        Item::Impl(mut item) => {
            // A trait of somebody else's, or ours for anything; or the inherent one.
            let of_public_trait = item.trait_.as_ref().map(|(_, path, _)| {
                let name = &path.segments.last().unwrap().ident;
                is_exported(name) || !["FromShape", "Read", "Shape"].iter().any(|private| name == private)
            });
            let of_type = match &*item.self_ty {
                syn::Type::Reference(reference) => &*reference.elem,
                of_type => of_type,
            };
            let is_of_private_type = match of_type {
                syn::Type::Path(path) => {
                    // A `Result` is what our trait of somebody else's is for: `collect` returns one.
                    let name = &path.path.segments.last().unwrap().ident;
                    let is_any = item.generics.type_params().any(|parameter| parameter.ident == *name);
                    !is_exported(name) && !is_any && name != "Result"
                }
                _ => false,
            };
            item.items.retain(|of_impl| match of_impl {
                ImplItem::Fn(function) => item.trait_.is_none() && is_public(&function.vis),
                ImplItem::Const(constant) => item.trait_.is_none() && is_public(&constant.vis),
                ImplItem::Type(_) => true,
                _ => false,
            });
            let is_public = of_public_trait.unwrap_or(!item.items.is_empty());
            (is_public && !is_of_private_type).then_some(Item::Impl(item))
        }
        Item::Macro(item) if MACROS.iter().any(|name| item.mac.path.is_ident(name)) => {
            Some(Item::Macro(item))
        }
        _ => None,
    }
}

fn without_private(fields: Fields) -> Fields {
    match fields {
        Fields::Named(mut fields) => {
            let all = fields.named.len();
            fields.named = fields.named.into_iter().filter(|field| is_public(&field.vis)).collect();
            if fields.named.len() < all {
                fields.named.push(parse_quote!(private: _));
            }
            Fields::Named(fields)
        }
        Fields::Unnamed(_) => Fields::Unnamed(parse_quote!((_))),
        Fields::Unit => Fields::Unit,
    }
}

/// Takes bodies, docs and lints away.
struct Bare;

impl VisitMut for Bare {
    fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
        let of_interface = ["derive", "must_use", "non_exhaustive"];
        attributes.retain(|attribute| of_interface.iter().any(|name| attribute.path().is_ident(name)));
    }

    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        block.stmts.clear();
    }

    fn visit_receiver_mut(&mut self, receiver: &mut syn::Receiver) {
        if receiver.reference.is_none() {
            receiver.mutability = None;
        }
        visit_mut::visit_receiver_mut(self, receiver);
    }

    fn visit_pat_ident_mut(&mut self, pattern: &mut syn::PatIdent) {
        pattern.mutability = None;
        visit_mut::visit_pat_ident_mut(self, pattern);
    }
}
