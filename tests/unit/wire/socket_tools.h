// Raw ends of a connection, for what a Channel itself would never send.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/channel.h"

namespace emud::test {

std::pair<Channel, Channel> channel_pair();

// Sends all bytes, blocking, until the peer is gone: the number that went.
std::size_t send_raw(int socket, std::string_view bytes);

// One sendmsg(2) with descriptors.
void send_raw(int socket, std::string_view bytes, std::span<const int> fds);

// A pipe's writing end, and what arrives at the other end when text is written to `writer`.
struct Pipe {
  UniqueFd reader;
  UniqueFd writer;
};
Pipe open_pipe();
bool connects(int writer, const Pipe& pipe);

// The number of descriptors open in this process.
std::size_t open_descriptors();

}  // namespace emud::test
