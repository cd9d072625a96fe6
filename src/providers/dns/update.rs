//! Dynamic updates (RFC 2136): what must be so, and what shall change then.

use std::net::Ipv4Addr;

use hickory_proto::op::{Message, OpCode, Query, UpdateMessage};
use hickory_proto::rr::rdata::{A, PTR, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

/// A change of a zone that is made as a whole, and only if its conditions hold.
pub(super) struct Update {
    message: Message,
    zone: Name,
    ttl: u32,
}

impl Update {
    /// A change of nothing, yet.
    pub(super) fn of(zone: &Name, ttl: u32) -> Self {
        let mut message = Message::query();
        message.metadata.op_code = OpCode::Update;
        message.metadata.recursion_desired = false;
        let mut query = Query::new();
        query.set_name(zone.clone()).set_query_class(DNSClass::IN).set_query_type(RecordType::SOA);
        message.add_zone(query);
        Self { message, zone: zone.clone(), ttl }
    }

    /// Only if nobody uses the name (section 2.4.5).
    pub(super) fn if_unused(mut self, name: &Name) -> Self {
        self.message.add_pre_requisite(empty(name, RecordType::ANY, DNSClass::NONE));
        self
    }

    /// Only if the name's records of this kind are exactly this one (section 2.4.2).
    pub(super) fn if_is(mut self, name: &Name, data: RData) -> Self {
        self.message.add_pre_requisite(Record::from_rdata(name.clone(), 0, data));
        self
    }

    /// Adds a record (section 2.5.1).
    pub(super) fn add(mut self, name: &Name, data: RData) -> Self {
        self.message.add_update(Record::from_rdata(name.clone(), self.ttl, data));
        self
    }

    /// Removes all records of a kind that the name has (section 2.5.2).
    pub(super) fn remove(mut self, name: &Name, kind: RecordType) -> Self {
        self.message.add_update(empty(name, kind, DNSClass::ANY));
        self
    }

    pub(super) fn zone(&self) -> &Name {
        &self.zone
    }

    pub(super) fn message(self) -> Message {
        self.message
    }
}

/// What says that a name is ours.
pub(super) fn mark(key: &str) -> RData {
    RData::TXT(TXT::new(vec![format!("gatehouse key={key}")]))
}

pub(super) fn address(address: Ipv4Addr) -> RData {
    RData::A(A(address))
}

pub(super) fn pointer(name: &Name) -> RData {
    RData::PTR(PTR(name.clone()))
}

/// A record without data, which stands for all of its kind.
fn empty(name: &Name, kind: RecordType, class: DNSClass) -> Record {
    let mut record = Record::update0(name.clone(), 0, kind);
    record.dns_class = class;
    record
}
