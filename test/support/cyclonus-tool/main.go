// Command cyclonus runs the generated NetworkPolicy cases of github.com/mattfenwick/cyclonus.
//
// It does what that project's own `cyclonus generate` does, with its batch mode on: one exec per
// pod and look, not one per dial. v0.5.6 has all of it and no flag: `--batch-jobs` is commented out
// in pkg/cli/generate.go. Cases, expectations (its own simulation of the specification), probes
// and verdicts are that project's.
package main

import (
	"flag"
	"fmt"
	"log"
	"strings"

	"github.com/mattfenwick/cyclonus/pkg/connectivity"
	"github.com/mattfenwick/cyclonus/pkg/connectivity/probe"
	"github.com/mattfenwick/cyclonus/pkg/generator"
	"github.com/mattfenwick/cyclonus/pkg/kube"
	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
)

// A pod cannot block access to itself, says the specification; what cyclonus expects of a pod that
// dials its own Service differs, and this setting of its own leaves that out.
const ignoreLoopback = true

var (
	namespaces = []string{"x", "y", "z"}
	pods       = []string{"a", "b", "c"}
	ports      = []int{80, 81}
)

func main() {
	junit := flag.String("junit", "", "file for the result")
	include := flag.String("include", "", "only cases with one of these tags, separated by commas")
	exclude := flag.String("exclude", "", "no case with one of these tags")
	protocols := flag.String("protocols", "TCP,UDP", "protocols the pods serve")
	number := flag.Int("case", 0, "the case to run, from 1; without it their number is printed")
	flag.Parse()
	if err := run(*junit, split(*include), split(*exclude), split(*protocols), *number); err != nil {
		log.Fatal(err)
	}
}

// run has one case per process: cyclonus puts no limit on its execs, and what waits for one whose
// stream is lost ends with the process, not before.
func run(junit string, include, exclude, protocols []string, number int) error {
	if err := generator.ValidateTags(append(append([]string{}, include...), exclude...)); err != nil {
		return err
	}
	// Any address will do to count cases; the cases of ipBlock are made around it.
	address := "10.0.0.1"
	var interpreter *connectivity.Interpreter
	if number > 0 {
		cluster, err := connect()
		if err != nil {
			return err
		}
		var served []v1.Protocol
		for _, protocol := range protocols {
			served = append(served, v1.Protocol(protocol))
		}
		resources, err := probe.NewDefaultResources(cluster, namespaces, pods, ports, served, nil, 180, true, "registry.k8s.io")
		if err != nil {
			return err
		}
		pod, err := resources.GetPod("z", "c")
		if err != nil {
			return err
		}
		address = pod.IP
		interpreter = connectivity.NewInterpreter(cluster, resources, &connectivity.InterpreterConfig{
			ResetClusterBeforeTestCase:       true,
			VerifyClusterStateBeforeTestCase: true,
			// Ninety dials at once, each with a second: on two cores one or another is late. What a
			// policy lets through or holds back wrongly is wrong each time.
			KubeProbeRetries: 3,
			// A change must be obeyed within a second.
			PerturbationWaitSeconds: 1,
			BatchJobs:               true,
			IgnoreLoopback:          ignoreLoopback,
			JobTimeoutSeconds:       1,
		})
	}
	cases := generator.NewTestCaseGenerator(true, address, namespaces, include, exclude).GenerateTestCases()
	if number == 0 {
		fmt.Println(len(cases))
		return nil
	}
	if number > len(cases) {
		return fmt.Errorf("no case %d: there are %d", number, len(cases))
	}
	testCase := cases[number-1]
	result := interpreter.ExecuteTestCase(testCase)
	if result.Err != nil {
		return fmt.Errorf("case %d, %s: %w", number, testCase.Description, result.Err)
	}
	printer := &connectivity.Printer{JunitResultsFile: junit, IgnoreLoopback: ignoreLoopback}
	printer.PrintTestCaseResult(result)
	printer.PrintSummary()
	fmt.Printf("finished %d of %d: %s: passed %t\n", number, len(cases), testCase.Description, result.Passed(ignoreLoopback))
	return nil
}

// connect gives cyclonus its client without the limit of five requests a second, which costs each
// case seven seconds.
func connect() (*kube.Kubernetes, error) {
	limited, err := kube.NewKubernetesForContext("")
	if err != nil {
		return nil, err
	}
	config := limited.RestConfig
	config.QPS, config.Burst = 200, 400
	clientSet, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &kube.Kubernetes{ClientSet: clientSet, RestConfig: config}, nil
}

func split(text string) []string {
	if text == "" {
		return []string{}
	}
	return strings.Split(text, ",")
}
