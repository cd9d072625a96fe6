//! XML from outside, made safe and plain before it is read: no document type, no entities but the five of XML, nesting
//! and size bounded, and `xsi:type` told from an attribute `type` by the name `@xsitype`.

use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, QName, ResolveResult};
use quick_xml::reader::NsReader;
use quick_xml::writer::Writer;

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// vCenter nests a dozen elements deep; a tree of snapshots some more.
const DEEPEST: usize = 200;
/// The entities of XML itself; all others would need a document type.
const ENTITIES: [&str; 5] = ["amp", "lt", "gt", "quot", "apos"];

/// The same document with nothing in it that a reader has to be afraid of, or what is wrong with it.
pub(super) fn plain(text: &str) -> Result<String, String> {
    let mut reader = NsReader::from_str(text);
    let mut writer = Writer::new(Vec::with_capacity(text.len()));
    let mut depth = 0_usize;
    loop {
        let event = reader.read_event().map_err(|cause| format!("it is no well-formed XML: {cause}"))?;
        let event = match event {
            Event::DocType(_) => return Err("it carries a document type, which is refused".to_owned()),
            Event::GeneralRef(entity) if !is_harmless(&entity) => {
                return Err("it names an entity of its own, which is refused".to_owned());
            }
            Event::Start(element) => {
                depth += 1;
                if depth > DEEPEST {
                    return Err(format!("it is nested more than {DEEPEST} elements deep"));
                }
                Event::Start(renamed(&reader, &element)?)
            }
            Event::Empty(element) => Event::Empty(renamed(&reader, &element)?),
            Event::End(end) => {
                depth -= 1;
                Event::End(end)
            }
            Event::Eof if depth > 0 => return Err("it ends before its last element does".to_owned()),
            Event::Eof => break,
            Event::Comment(_) | Event::PI(_) => continue,
            other => other,
        };
        writer.write_event(event).map_err(|cause| format!("it can't be put down again: {cause}"))?;
    }
    String::from_utf8(writer.into_inner()).map_err(|_| "it is no UTF-8".to_owned())
}

fn is_harmless(entity: &str) -> bool {
    entity.starts_with('#') || ENTITIES.contains(&entity)
}

/// The element with its `xsi:type` called `xsitype`: a reference in an untyped place has a `type` of its own as well.
fn renamed<'e>(reader: &NsReader<&[u8]>, element: &BytesStart<'e>) -> Result<BytesStart<'e>, String> {
    let mut plain = BytesStart::new(element.name().as_ref().to_owned());
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|cause| format!("an attribute can't be read: {cause}"))?;
        let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
        let is_type = matches!(namespace, ResolveResult::Bound(Namespace(XSI))) && local.as_ref() == "type";
        let key = if is_type { QName("xsitype") } else { attribute.key };
        plain.push_attribute(Attribute { key, value: attribute.value });
    }
    Ok(plain)
}
