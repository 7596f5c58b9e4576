// Bot is the program: it reads the command line and the configuration, builds
// every part of the product and runs it.
//
// Exit codes: 0 done; 1 the work failed, or what was checked does not hold; 2
// usage or configuration. A release is built with the tag nodemo, which leaves
// out the stand-ins and with them "demo" and "sim".
package main
