// The values of a Machine that come from the kernel and from emud.
#include <fmt/format.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "base/file.h"
#include "binfmt/registry.h"
#include "ctl/client.h"
#include "ctl/doctor/machine.h"
#include "sandbox/namespaces.h"
#include "sandbox/process.h"

namespace emud::ctl {
namespace {

constexpr int patience_ms = 20'000;  // for the child that tries a private scope

// Not getpwuid(3): a static emuctl could not load what that needs. Users of a directory service
// are in no file, but their session knows their name.
std::string name_of(uid_t uid) {
  std::istringstream lines{read_file("/etc/passwd").value_or("")};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields{line};
    std::string name, password, number;
    std::getline(fields, name, ':');
    std::getline(fields, password, ':');
    std::getline(fields, number, ':');
    if (number == std::to_string(uid)) return name;
  }
  const char* name = std::getenv("LOGNAME");
  return name != nullptr && *name != '\0' ? name : std::to_string(uid);
}

Caller this_caller() {
  Caller caller{.uid = ::getuid(), .groups = {}, .name = {}};
  caller.groups.resize(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
  if (::getgroups(static_cast<int>(caller.groups.size()), caller.groups.data()) < 0)
    caller.groups.clear();
  caller.groups.push_back(::getgid());
  caller.name = name_of(caller.uid);
  return caller;
}

DaemonAnswer ask_emud(const Endpoint& endpoint) {
  const auto ask = [&]() -> Result<wire::GetStatusReply> {
    EMUD_ASSIGN(Client client, Client::connect(endpoint.path));
    EMUD_ASSIGN(const Answer answer, client.call("io.emud.Manager.GetStatus", "{}"));
    return client.decode<wire::GetStatusReply>(answer.parameters);
  };
  auto status = ask();
  if (status) return {.status = *std::move(status), .error = {}};
  return {.status = std::nullopt, .error = std::move(status).error()};
}

// What a rootless lease begins with, in a child that registers nothing: a user namespace where the
// caller is root, and a binfmt_misc of its own.
Result<> enter_private_scope(uid_t uid, gid_t gid) {
  EMUD_TRY(map_self(0, uid, 0, gid));
  EMUD_TRY(Registry::mount_private());
  return {};
}

std::optional<Error> try_private_scope() {
  const auto failed = [](const std::string& reason) {
    return fail(Errc::not_supported, "try", "a private scope", reason).error();
  };
  const uid_t uid = ::getuid();
  const gid_t gid = ::getgid();
  auto ends = make_pipe();
  if (!ends) return failed(ends.error().message());
  auto child = clone_child({.flags = CLONE_NEWUSER | CLONE_NEWNS, .cgroup = -1});
  if (!child) return failed("with a user namespace, " + child.error().message());
  if (!*child) {
    const auto entered = enter_private_scope(uid, gid);
    if (entered) ::_exit(0);
    const std::string text = entered.error().message();
    ::_exit(::write(ends->second.get(), text.data(), text.size()) < 0 ? 2 : 1);
  }
  ends->second.reset();
  const auto status = child->wait(patience_ms);
  if (status && status->signal == 0 && status->code == 0) return std::nullopt;
  char text[512];
  const ssize_t count = status ? ::read(ends->first.get(), text, sizeof text) : 0;
  const std::string reason = count > 0 ? std::string{text, static_cast<std::size_t>(count)}
                             : status && status->signal != 0
                                 ? fmt::format("signal {} ended the attempt", status->signal)
                                 : "the attempt did not end";
  return failed(reason);
}

// Of the file system that holds the directory, or will when it is made.
std::optional<std::uint64_t> free_space(std::string directory) {
  struct statvfs info{};
  while (::statvfs(directory.c_str(), &info) != 0) {
    if (errno != ENOENT || directory.size() <= 1) return std::nullopt;
    const auto slash = directory.rfind('/');
    directory.resize(slash == 0 ? 1 : slash);
  }
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

}  // namespace

Machine this_machine(const Endpoint& endpoint, std::string own_version) {
  Machine machine;
  utsname system{};
  ::uname(&system);
  machine.release = system.release;
  machine.caller = this_caller();
  machine.endpoint = endpoint;
  machine.daemon = ask_emud(endpoint);
  machine.own_version = std::move(own_version);
  machine.rootless_failure = try_private_scope();
  machine.stores.push_back(Paths::system());
  if (auto user = Paths::user()) machine.stores.push_back(*std::move(user));
  auto catalog = Catalog::load(machine.stores.front());
  if (catalog) {
    machine.catalog = *std::move(catalog);
  } else {
    machine.catalog_failure = std::move(catalog).error();
  }
  const char* temporary = std::getenv("TMPDIR");
  if (temporary != nullptr && *temporary == '/') machine.temporary = temporary;
  const char* path = std::getenv("PATH");
  machine.path = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  const bool uses_emud = machine.daemon.status.has_value() || machine.stores.size() == 1;
  machine.free_in_store = free_space(machine.stores[uses_emud ? 0 : 1].store());
  machine.free_in_temporary = free_space(machine.temporary);
  return machine;
}

}  // namespace emud::ctl
