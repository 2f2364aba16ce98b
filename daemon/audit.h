// One line in the journal for each decision of emud: who asked for what, about which lease, and
// what came of it. Of those that whoever likes could repeat without end (looking, connecting too
// often) there is one line a second for each user and method, with the number of those left out.
#pragma once

#include <string>
#include <string_view>

#include "daemon/peer.h"
#include "wire/messages.h"

namespace emud {

// Writes its line when it goes. Unless it was told otherwise the outcome is a failure.
class [[nodiscard]] Audit {
 public:
  // only_looks: successes are counted, as said above.
  Audit(const PeerCredentials& peer, std::string_view method, bool only_looks);
  Audit(const Audit&) = delete;
  Audit& operator=(const Audit&) = delete;
  ~Audit();

  void about_lease(std::string_view id) { lease_ = id; }
  void decided(const wire::Reply& reply);

 private:
  const PeerCredentials& peer_;
  std::string method_;
  bool only_looks_;
  std::string lease_;
  std::string outcome_ = "failed";
  std::string reason_ = "the client hung up before it was done";
};

// The same for a connection that is refused.
void audit_connection(const PeerCredentials& peer, const Error& refusal);

}  // namespace emud
