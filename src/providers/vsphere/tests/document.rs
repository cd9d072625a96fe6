//! XML that is meant to do harm, or is none.

use super::super::document::plain;

#[test]
fn a_document_type_is_refused_with_all_that_it_could_define() {
    let bomb = "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]><x>&b;</x>";
    assert!(plain(bomb).unwrap_err().contains("document type"));
    assert!(plain("<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><x/>").unwrap_err().contains("document type"));
    assert!(plain("<x>&secret;</x>").unwrap_err().contains("entity"));
}

#[test]
fn half_a_document_and_a_web_page_are_no_answers() {
    assert!(plain("<a><b>text</b>").unwrap_err().contains("ends before"));
    assert!(plain("<a><b>text</a>").unwrap_err().contains("well-formed"));
    assert!(plain("<html><body><p>Service unavailable<br></body></html>").is_err());
}

#[test]
fn a_document_is_nested_only_so_deep() {
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    assert!(plain(&deep).unwrap_err().contains("deep"));
}

#[test]
fn the_type_of_a_value_is_told_from_an_attribute_of_that_name_whatever_its_prefix() {
    let value = "<v xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:type=\"ManagedObjectReference\" \
                 type=\"Folder\">group &amp; co</v>";
    let told = plain(value).unwrap();
    assert!(told.contains("xsitype=\"ManagedObjectReference\""), "{told}");
    assert!(told.contains(" type=\"Folder\"") && told.contains("group &amp; co"), "{told}");
}
