// The members of io.emud.Keeper's and org.varlink.service's calls and replies.
#include "wire/fields.h"

namespace emud::wire {

void fields(auto&, Is<Nothing> auto&) {}

void fields(auto& visit, Is<WaitReply> auto& m) {
  visit("stopped", m.stopped);
  visit("status", m.status);
  visit("signal", m.signal);
  visit("coreDumped", m.core_dumped);
  visit("userTime", m.user_time);
  visit("systemTime", m.system_time);
  visit("maximumResidentSet", m.maximum_resident_set);
  visit("notes", m.notes);
}

void fields(auto& visit, Is<SignalCall> auto& m) {
  visit("signal", m.signal);
}

void fields(auto& visit, Is<ResizeCall> auto& m) {
  visit("rows", m.rows);
  visit("columns", m.columns);
}

void fields(auto& visit, Is<GetInfoReply> auto& m) {
  visit("vendor", m.vendor);
  visit("product", m.product);
  visit("version", m.version);
  visit("url", m.url);
  visit("interfaces", m.interfaces);
}

void fields(auto& visit, Is<GetInterfaceDescriptionCall> auto& m) {
  visit("interface", m.interface);
}

void fields(auto& visit, Is<GetInterfaceDescriptionReply> auto& m) {
  visit("description", m.description);
}

EMUD_WIRE_MESSAGE(Nothing);
EMUD_WIRE_MESSAGE(WaitReply);
EMUD_WIRE_MESSAGE(SignalCall);
EMUD_WIRE_MESSAGE(ResizeCall);
EMUD_WIRE_MESSAGE(GetInfoReply);
EMUD_WIRE_MESSAGE(GetInterfaceDescriptionCall);
EMUD_WIRE_MESSAGE(GetInterfaceDescriptionReply);

}  // namespace emud::wire
