#include "wire/samples.h"

#include <utility>

#include "wire/errors.h"

namespace emud::test {
namespace {

using namespace emud::wire;

const std::string digest(64, 'a');

const Emulator emulator{"aarch64", "10.0.2", digest, "qemu-user-static_10.0.2_amd64.deb",
                        "2025-01-31T12:00:00Z"};
const ListedEmulator listed{"aarch64",
                            "7.2.22",
                            digest,
                            true,
                            false,
                            "/usr/bin/qemu-aarch64-static",
                            "2025-01-31T12:00:00Z",
                            62603724,
                            {"It is slow. Use QEMU 10.0"},
                            {"lease f3a1"}};
const CheckedEmulator checked{digest,
                              "aarch64",
                              "7.2.22",
                              "its bytes changed",
                              "/var/lib/emud/quarantine/a",
                              {"handler emud-aarch64"}};
const Handler handler{"aarch64", "emud-aarch64", "/var/lib/emud/store/a/qemu-aarch64",
                      "PF",      "10.0.2",       digest,
                      "lost",    "read-only",    2,
                      true,      false,          3};
const ForeignHandler foreign{"WSLInterop", "x86_64", "/init", "P", true, "a note"};
const LeaseInfo lease{"f3a1",     "private",  "ready",    {"aarch64", "riscv64"},
                      1000,       "alice",    4242,       4243,
                      "sd-image", 1738324800, 1738328400, 12,
                      1500000,    1048576};
const Limits limits{512, 4294967296, 50, 3600};
const Event event{1738324800000001,
                  "lease_ready",
                  "aarch64",
                  {{"aarch64", "riscv64"}},
                  "f3a1",
                  "private",
                  1000,
                  4242,
                  3,
                  "lease f3a1 is ready"};
const Policy policy{"emud", true, false};
const Progress progress{"fetch", "qemu-aarch64", 1048576, 12582912};

template <class Message>
Sample sample(std::string name, std::string_view interface, std::string idl_name,
              const Message& message) {
  return Sample{std::move(name), std::string{interface}, std::move(idl_name), to_json(message),
                [](const std::string& text) -> Result<std::string> {
                  EMUD_ASSIGN(const Message read, from_json<Message>(text));
                  return to_json(read);
                }};
}

}  // namespace

RunCall utf8_run_call() {
  RunCall call;
  call.architectures = {"aarch64"};
  call.scope = "private";
  call.emulator = "10.0.2";
  call.arguments = {"printf", "%s\n", "schön \"quoted\" \t"};
  call.environment = {"PATH=/usr/bin:/bin", "EMPTY="};
  call.working_directory = 3;
  call.descriptors = {{0, 0}, {1, 1}, {2, 2}};
  call.terminal = 0;
  call.umask = 022;
  call.nix = true;
  call.fresh = false;
  call.fetch = false;
  call.limits = limits;
  return call;
}

RunCall binary_run_call() {
  RunCall call = utf8_run_call();
  call.arguments = {"cat", "name-in-latin1-\xe9", ""};
  return call;
}

const std::vector<Sample>& samples() {
  using Strings = std::vector<std::string>;
  static const std::vector<Sample> all{
      sample("Emulator", manager_interface, "Emulator", emulator),
      sample("Handler", manager_interface, "Handler", handler),
      sample("ForeignHandler", manager_interface, "ForeignHandler", foreign),
      sample("LeaseInfo", manager_interface, "Lease", lease),
      sample("Progress", manager_interface, "Progress", progress),
      sample("Limits", manager_interface, "Limits", limits),
      sample("Event", manager_interface, "Event", event),
      sample("MonitorReply", manager_interface, "Monitor", MonitorReply{event}),
      sample("Descriptor", manager_interface, "Descriptor", Descriptor{2, 1}),
      sample("Policy", manager_interface, "Policy", policy),
      sample("GetStatusReply", manager_interface, "GetStatus",
             GetStatusReply{"0.1.0",
                            "6.18.0",
                            "x86_64",
                            false,
                            "unprivileged user namespaces are off",
                            true,
                            "",
                            {handler},
                            {foreign},
                            {lease},
                            {emulator},
                            policy}),
      sample("AcquireCall", manager_interface, "Acquire",
             AcquireCall{{"aarch64"}, "docker build", "10.0.2", true, "f3a1", 3600}),
      sample(
          "AcquireReply", manager_interface, "Acquire",
          AcquireReply{progress, "f3a1", Strings{"x86_64", "i386"}, Strings{"it is slow"}, 3600}),
      sample("ReleaseCall", manager_interface, "Release", ReleaseCall{"f3a1"}),
      sample("RunCall", manager_interface, "Run", utf8_run_call()),
      sample("RunCall_hex", manager_interface, "Run", binary_run_call()),
      sample("RunReply", manager_interface, "Run",
             RunReply{progress, "f3a1", "private", Strings{"aarch64"}, Strings{"x86_64"},
                      Strings{"no cgroup may be written here"}, 0}),
      sample("CancelCall", manager_interface, "Cancel", CancelCall{"f3a1"}),
      sample("RegisterCall", manager_interface, "Register",
             RegisterCall{{"aarch64"}, "10.0.2", true, false}),
      sample(
          "RegisterReply", manager_interface, "Register",
          RegisterReply{progress, std::vector{handler}, Strings{"x86_64"}, Strings{"it is slow"}}),
      sample("UnregisterCall", manager_interface, "Unregister", UnregisterCall{{"arm"}, true}),
      sample("UnregisterReply", manager_interface, "Unregister",
             UnregisterReply{{"arm"}, {"aarch64"}}),
      sample("InstallEmulatorCall", manager_interface, "InstallEmulator",
             InstallEmulatorCall{
                 {"aarch64"}, "10.0", 0, "qemu-aarch64", "https://example.org/qemu.deb", digest}),
      sample("InstallEmulatorReply", manager_interface, "InstallEmulator",
             InstallEmulatorReply{progress, std::vector{emulator}}),
      sample("RemoveEmulatorCall", manager_interface, "RemoveEmulator",
             RemoveEmulatorCall{digest, Strings{digest}}),
      sample("ListedEmulator", manager_interface, "ListedEmulator", listed),
      sample("CheckedEmulator", manager_interface, "CheckedEmulator", checked),
      sample("VerifyEmulatorsReply", manager_interface, "VerifyEmulators",
             VerifyEmulatorsReply{{checked}}),
      sample("PruneEmulatorsReply", manager_interface, "PruneEmulators",
             PruneEmulatorsReply{{emulator}}),
      sample("ListEmulatorsReply", manager_interface, "ListEmulators",
             ListEmulatorsReply{{listed}}),
      sample(
          "WaitReply", keeper_interface, "Wait",
          WaitReply{19, 0, 15, true, 1500000, 20000, 65536, Strings{"the lease was at its limit"}}),
      sample("SignalCall", keeper_interface, "Signal", SignalCall{15}),
      sample("ResizeCall", keeper_interface, "Resize", ResizeCall{24, 80}),
      sample("GetInfoReply", service_interface, "GetInfo",
             GetInfoReply{"emud",
                          "emud",
                          "0.1.0",
                          "https://example.org/emud",
                          {"io.emud.Manager", "org.varlink.service"}}),
      sample("GetInterfaceDescriptionCall", service_interface, "GetInterfaceDescription",
             GetInterfaceDescriptionCall{"io.emud.Manager"}),
      sample("GetInterfaceDescriptionReply", service_interface, "GetInterfaceDescription",
             GetInterfaceDescriptionReply{"interface io.emud.Manager\n"}),
  };
  return all;
}

}  // namespace emud::test
