#include "daemon/audit.h"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <optional>
#include <utility>

#include "base/log.h"
#include "daemon/message_ids.h"
#include "daemon/users.h"
#include "wire/errors.h"

namespace emud {

namespace {

constexpr std::size_t reason_limit = 400;  // it may quote what the client has sent
constexpr std::size_t method_limit = 80;
constexpr std::size_t remembered = 1024;  // pairs of user and method

// How many were left out since the last line; none: this one is to be left out as well.
std::optional<std::size_t> count_repeated(uid_t user, const std::string& method) {
  using Clock = std::chrono::steady_clock;
  struct Repeated {
    Clock::time_point last;
    std::size_t left_out = 0;
  };
  static std::map<std::pair<uid_t, std::string>, Repeated> known;
  const auto now = Clock::now();
  const auto is_old = [now](const auto& entry) {
    return now - entry.second.last >= std::chrono::seconds{1};
  };
  if (known.size() > remembered) std::erase_if(known, is_old);
  const auto [place, is_new] = known.try_emplace({user, method}, Repeated{.last = now});
  if (!is_new && !is_old(*place)) {
    ++place->second.left_out;
    return std::nullopt;
  }
  place->second.last = now;
  return std::exchange(place->second.left_out, 0);
}

struct Decision {
  std::string_view did;     // what the peer did: "called io.emud.Manager.Run", "connected"
  std::string_view method;  // as the journal's field has it
  std::string_view outcome;
  std::string_view lease;
  std::string_view reason;
  std::size_t left_out = 0;
};

void write_decision(const PeerCredentials& peer, const Decision& decision) {
  const auto& [did, method, outcome, lease, reason, left_out] = decision;
  const std::string user = display_name(peer.uid);
  std::string text = fmt::format("user {} (uid {}, process {} {}) {}: {}", user, peer.uid, peer.pid,
                                 peer.program, did, outcome);
  if (!lease.empty()) text += fmt::format(", lease {}", lease);
  if (!reason.empty()) text += fmt::format(": {}", reason);
  if (left_out > 0) text += fmt::format(" ({} more before it)", left_out);
  log(outcome == "granted" ? Level::info : Level::notice, text,
      {{"MESSAGE_ID", std::string{outcome == "granted"   ? message_id::granted
                                  : outcome == "refused" ? message_id::refused
                                                         : message_id::failed}},
       {"EMUD_UID", std::to_string(peer.uid)},
       {"EMUD_USER", user},
       {"EMUD_PID", std::to_string(peer.pid)},
       {"EMUD_PROGRAM", peer.program},
       {"EMUD_METHOD", std::string{method}},
       {"EMUD_LEASE", std::string{lease}},
       {"EMUD_OUTCOME", std::string{outcome}},
       {"EMUD_REASON", std::string{reason}}});
}

}  // namespace

Audit::Audit(const PeerCredentials& peer, std::string_view method, bool only_looks)
    : peer_(peer), method_(method.substr(0, method_limit)), only_looks_(only_looks) {}

void Audit::decided(const wire::Reply& reply) {
  reason_.clear();
  if (reply.error.empty()) {
    outcome_ = "granted";
    return;
  }
  const Error error = wire::error_of(reply);
  const bool is_refusal =
      error.code == Errc::permission_denied || error.code == Errc::limit_exceeded;
  outcome_ = is_refusal ? "refused" : "failed";
  reason_ = error.message().substr(0, reason_limit);
}

Audit::~Audit() {
  std::size_t left_out = 0;
  if (only_looks_ && outcome_ == "granted") {
    const auto counted = count_repeated(peer_.uid, method_);
    if (!counted) return;
    left_out = *counted;
  }
  const std::string did = fmt::format("called {}", method_);
  write_decision(peer_, {.did = did,
                         .method = method_,
                         .outcome = outcome_,
                         .lease = lease_,
                         .reason = reason_,
                         .left_out = left_out});
}

void audit_connection(const PeerCredentials& peer, const Error& refusal) {
  const auto left_out = count_repeated(peer.uid, "");
  if (!left_out) return;
  const std::string reason = refusal.message().substr(0, reason_limit);
  write_decision(peer, {.did = "connected",
                        .method = "connect",
                        .outcome = "refused",
                        .lease = {},
                        .reason = reason,
                        .left_out = *left_out});
}

}  // namespace emud
