// The members of io.emud.Manager's types, calls and replies, in the order of the .varlink file.
#include "wire/fields.h"

namespace emud::wire {

void fields(auto& visit, Is<Emulator> auto& m) {
  visit("architecture", m.architecture);
  visit("version", m.version);
  visit("digest", m.digest);
  visit("source", m.source);
  visit("installed", m.installed);
}

void fields(auto& visit, Is<ListedEmulator> auto& m) {
  visit("architecture", m.architecture);
  visit("version", m.version);
  visit("digest", m.digest);
  visit("installed", m.installed);
  visit("default", m.is_default);
  visit("source", m.source);
  visit("time", m.time);
  visit("size", m.size);
  visit("notes", m.notes);
  visit("usedBy", m.used_by);
}

void fields(auto& visit, Is<CheckedEmulator> auto& m) {
  visit("digest", m.digest);
  visit("architecture", m.architecture);
  visit("version", m.version);
  visit("problem", m.problem);
  visit("movedTo", m.moved_to);
  visit("usedBy", m.used_by);
}

void fields(auto& visit, Is<Handler> auto& m) {
  visit("architecture", m.architecture);
  visit("name", m.name);
  visit("interpreter", m.interpreter);
  visit("flags", m.flags);
  visit("version", m.version);
  visit("digest", m.digest);
  visit("state", m.state);
  visit("reason", m.reason);
  visit("leases", m.leases);
  visit("pinned", m.pinned);
  visit("persistent", m.persistent);
  visit("healed", m.healed);
}

void fields(auto& visit, Is<ForeignHandler> auto& m) {
  visit("name", m.name);
  visit("architecture", m.architecture);
  visit("interpreter", m.interpreter);
  visit("flags", m.flags);
  visit("enabled", m.enabled);
  visit("note", m.note);
}

void fields(auto& visit, Is<LeaseInfo> auto& m) {
  visit("id", m.id);
  visit("scope", m.scope);
  visit("state", m.state);
  visit("architectures", m.architectures);
  visit("uid", m.uid);
  visit("user", m.user);
  visit("pid", m.pid);
  visit("keeper", m.keeper);
  visit("purpose", m.purpose);
  visit("started", m.started);
  visit("ends", m.ends);
  visit("processes", m.processes);
  visit("cpuTime", m.cpu_time);
  visit("memory", m.memory);
}

void fields(auto& visit, Is<Progress> auto& m) {
  visit("step", m.step);
  visit("object", m.object);
  visit("done", m.done);
  visit("total", m.total);
}

void fields(auto& visit, Is<Event> auto& m) {
  visit("time", m.time);
  visit("kind", m.kind);
  visit("architecture", m.architecture);
  visit("architectures", m.architectures);
  visit("lease", m.lease);
  visit("scope", m.scope);
  visit("uid", m.uid);
  visit("pid", m.pid);
  visit("lost", m.lost);
  visit("text", m.text);
}

void fields(auto& visit, Is<MonitorReply> auto& m) {
  visit("event", m.event);
}

void fields(auto& visit, Is<Policy> auto& m) {
  visit("group", m.group);
  visit("privateForEveryone", m.private_for_everyone);
  visit("fetch", m.fetch);
}

void fields(auto& visit, Is<GetStatusReply> auto& m) {
  visit("version", m.version);
  visit("kernel", m.kernel);
  visit("architecture", m.architecture);
  visit("privateScope", m.private_scope);
  visit("privateReason", m.private_reason);
  visit("hostScope", m.host_scope);
  visit("hostReason", m.host_reason);
  visit("handlers", m.handlers);
  visit("foreign", m.foreign);
  visit("leases", m.leases);
  visit("emulators", m.emulators);
  visit("policy", m.policy);
}

void fields(auto& visit, Is<AcquireCall> auto& m) {
  visit("architectures", m.architectures);
  visit("purpose", m.purpose);
  visit("emulator", m.emulator);
  visit("fetch", m.fetch);
  visit("resume", m.resume);
  visit("seconds", m.seconds);
}

void fields(auto& visit, Is<AcquireReply> auto& m) {
  visit("progress", m.progress);
  visit("lease", m.lease);
  visit("native", m.native);
  visit("notes", m.notes);
  visit("seconds", m.seconds);
}

void fields(auto& visit, Is<ReleaseCall> auto& m) {
  visit("lease", m.lease);
}

void fields(auto& visit, Is<RunReply> auto& m) {
  visit("progress", m.progress);
  visit("lease", m.lease);
  visit("scope", m.scope);
  visit("architectures", m.architectures);
  visit("native", m.native);
  visit("notes", m.notes);
  visit("keeper", m.keeper);
}

void fields(auto& visit, Is<CancelCall> auto& m) {
  visit("lease", m.lease);
}

void fields(auto& visit, Is<RegisterCall> auto& m) {
  visit("architectures", m.architectures);
  visit("emulator", m.emulator);
  visit("persist", m.persist);
  visit("fetch", m.fetch);
}

void fields(auto& visit, Is<RegisterReply> auto& m) {
  visit("progress", m.progress);
  visit("handlers", m.handlers);
  visit("native", m.native);
  visit("notes", m.notes);
}

void fields(auto& visit, Is<UnregisterCall> auto& m) {
  visit("architectures", m.architectures);
  visit("all", m.all);
}

void fields(auto& visit, Is<UnregisterReply> auto& m) {
  visit("removed", m.removed);
  visit("stillLeased", m.still_leased);
}

void fields(auto& visit, Is<InstallEmulatorCall> auto& m) {
  visit("architectures", m.architectures);
  visit("emulator", m.emulator);
  visit("file", m.file);
  visit("name", m.name);
  visit("url", m.url);
  visit("digest", m.digest);
}

void fields(auto& visit, Is<InstallEmulatorReply> auto& m) {
  visit("progress", m.progress);
  visit("emulators", m.emulators);
}

void fields(auto& visit, Is<RemoveEmulatorCall> auto& m) {
  visit("digest", m.digest);
  visit("more", m.more);
}

void fields(auto& visit, Is<VerifyEmulatorsReply> auto& m) {
  visit("emulators", m.emulators);
}

void fields(auto& visit, Is<PruneEmulatorsReply> auto& m) {
  visit("removed", m.removed);
}

void fields(auto& visit, Is<ListEmulatorsReply> auto& m) {
  visit("emulators", m.emulators);
}

EMUD_WIRE_MESSAGE(Emulator);
EMUD_WIRE_MESSAGE(ListedEmulator);
EMUD_WIRE_MESSAGE(CheckedEmulator);
EMUD_WIRE_MESSAGE(Handler);
EMUD_WIRE_MESSAGE(ForeignHandler);
EMUD_WIRE_MESSAGE(LeaseInfo);
EMUD_WIRE_MESSAGE(Progress);
EMUD_WIRE_MESSAGE(Event);
EMUD_WIRE_MESSAGE(MonitorReply);
EMUD_WIRE_MESSAGE(Policy);
EMUD_WIRE_MESSAGE(GetStatusReply);
EMUD_WIRE_MESSAGE(AcquireCall);
EMUD_WIRE_MESSAGE(AcquireReply);
EMUD_WIRE_MESSAGE(ReleaseCall);
EMUD_WIRE_MESSAGE(RunReply);
EMUD_WIRE_MESSAGE(CancelCall);
EMUD_WIRE_MESSAGE(RegisterCall);
EMUD_WIRE_MESSAGE(RegisterReply);
EMUD_WIRE_MESSAGE(UnregisterCall);
EMUD_WIRE_MESSAGE(UnregisterReply);
EMUD_WIRE_MESSAGE(InstallEmulatorCall);
EMUD_WIRE_MESSAGE(InstallEmulatorReply);
EMUD_WIRE_MESSAGE(RemoveEmulatorCall);
EMUD_WIRE_MESSAGE(VerifyEmulatorsReply);
EMUD_WIRE_MESSAGE(PruneEmulatorsReply);
EMUD_WIRE_MESSAGE(ListEmulatorsReply);

}  // namespace emud::wire
